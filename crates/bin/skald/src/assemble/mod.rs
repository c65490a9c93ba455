//! One function per role: what it is made of, and how it ends.

mod compactor;
mod distributor;
mod index_gateway;
mod ingester;
mod querier;
mod query_frontend;
mod query_scheduler;

use skald_config::Role;

use crate::Part;

/// Serves catalog views.
pub const INDEX_GATEWAY: Part = Part { role: Role::IndexGateway, assemble: |p| Box::pin(index_gateway::assemble(p)) };
/// Queues query tasks.
pub const QUERY_SCHEDULER: Part =
    Part { role: Role::QueryScheduler, assemble: |p| Box::pin(query_scheduler::assemble(p)) };
/// Holds recent rows.
pub const INGESTER: Part = Part { role: Role::Ingester, assemble: |p| Box::pin(ingester::assemble(p)) };
/// Runs query tasks.
pub const QUERIER: Part = Part { role: Role::Querier, assemble: |p| Box::pin(querier::assemble(p)) };
/// Answers the query API.
pub const QUERY_FRONTEND: Part =
    Part { role: Role::QueryFrontend, assemble: |p| Box::pin(query_frontend::assemble(p)) };
/// Accepts pushes.
pub const DISTRIBUTOR: Part = Part { role: Role::Distributor, assemble: |p| Box::pin(distributor::assemble(p)) };
/// Folds flushed objects.
pub const COMPACTOR: Part = Part { role: Role::Compactor, assemble: |p| Box::pin(compactor::assemble(p)) };

/// Every role in the order of starting: those that others call come first.
pub const ALL: [Part; 7] = [INDEX_GATEWAY, QUERY_SCHEDULER, INGESTER, QUERIER, QUERY_FRONTEND, DISTRIBUTOR, COMPACTOR];

//! Which roles a process plays.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One entry of `target`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Target {
    /// Every role in one process.
    All,
    /// Accepts pushes.
    Distributor,
    /// Holds recent rows.
    Ingester,
    /// Executes queries.
    Querier,
    /// Answers the query API.
    QueryFrontend,
    /// Queues queries fairly.
    QueryScheduler,
    /// Serves the catalog.
    IndexGateway,
    /// Folds flushed objects.
    Compactor,
}

/// One role a process can play.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Accepts pushes.
    Distributor,
    /// Holds recent rows.
    Ingester,
    /// Executes queries.
    Querier,
    /// Answers the query API.
    QueryFrontend,
    /// Queues queries fairly.
    QueryScheduler,
    /// Serves the catalog.
    IndexGateway,
    /// Folds flushed objects.
    Compactor,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 7] = [
        Self::Distributor,
        Self::Ingester,
        Self::Querier,
        Self::QueryFrontend,
        Self::QueryScheduler,
        Self::IndexGateway,
        Self::Compactor,
    ];

    /// The name used on the command line, in rings and in logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Distributor => "distributor",
            Self::Ingester => "ingester",
            Self::Querier => "querier",
            Self::QueryFrontend => "query-frontend",
            Self::QueryScheduler => "query-scheduler",
            Self::IndexGateway => "index-gateway",
            Self::Compactor => "compactor",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl From<Role> for Target {
    fn from(role: Role) -> Self {
        match role {
            Role::Distributor => Self::Distributor,
            Role::Ingester => Self::Ingester,
            Role::Querier => Self::Querier,
            Role::QueryFrontend => Self::QueryFrontend,
            Role::QueryScheduler => Self::QueryScheduler,
            Role::IndexGateway => Self::IndexGateway,
            Role::Compactor => Self::Compactor,
        }
    }
}

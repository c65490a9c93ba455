//! One history from its seed to its verdict.

use std::{rc::Rc, time::Duration};

use skald_blob::{FaultPlan, Operation};
use tokio::{runtime::Builder, task::LocalSet};

use crate::{
    chaos,
    checkers::{self, Violation},
    ingester, reader,
    rows::TENANTS,
    world::{COMPACTORS, GATEWAYS, INGESTERS, Variant, World},
};

/// How long things go wrong, in virtual time; then everybody recovers.
const TROUBLE: Duration = Duration::from_secs(40);

/// Rounds of flushing after the trouble; each ingester needs two: an old object, then the rest.
const RECOVERY_ROUNDS: usize = 4;

/// What happened in a history, to see that it was worth running.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Rows acknowledged.
    pub acknowledged: usize,
    /// Queries that were answered and checked.
    pub reads: usize,
    /// Root generations committed.
    pub generations: u64,
    /// Flushes that found their log sealed.
    pub fenced: usize,
    /// Requests to the bucket.
    pub requests: u64,
}

/// Runs the history of `seed`.
///
/// # Errors
/// The first invariant that it broke.
pub fn run(seed: u64, variant: Variant) -> Result<Summary, Violation> {
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.expect("a runtime without I/O needs nothing from the system");
    LocalSet::new().block_on(&runtime, history(seed, variant))
}

async fn history(seed: u64, variant: Variant) -> Result<Summary, Violation> {
    let world = World::new(seed, variant);
    for i in 0..GATEWAYS {
        world.start_gateway(i).await;
    }
    for i in 0..COMPACTORS {
        world.start_compactor(i);
    }
    let mut actors = vec![
        tokio::task::spawn_local(ingester::pusher(world.clone())),
        tokio::task::spawn_local(reader::querier(world.clone())),
        tokio::task::spawn_local(reader::querier(world.clone())),
        tokio::task::spawn_local(chaos::gateway_restarts(world.clone())),
        tokio::task::spawn_local(chaos::compactor_kills(world.clone())),
        tokio::task::spawn_local(chaos::late_landings(world.clone())),
    ];
    for i in 0..INGESTERS {
        actors.push(tokio::task::spawn_local(ingester::flusher(world.clone(), i)));
        actors.push(tokio::task::spawn_local(chaos::crasher(world.clone(), i)));
        actors.push(tokio::task::spawn_local(chaos::suspicion(world.clone(), i)));
    }
    tokio::time::sleep(TROUBLE).await;
    world.over.set(true);
    for actor in actors {
        actor.await.expect("an actor panicked");
    }
    recover(&world).await;
    let lists = world.metered.stats().of(Operation::List).requests;
    let requests = world.metered.stats().requests();
    checkers::at_the_end(&world, lists).await?;
    let ledger = world.ledger.borrow();
    let checks = world.checks.borrow();
    Ok(Summary {
        acknowledged: ledger.values().filter(|told| told.acknowledged).count(),
        reads: checks.reads.count(),
        generations: checks.generations,
        fenced: checks.fenced,
        requests,
    })
}

/// Everybody is up, the bucket works, all is flushed and folded; two last queries of everything.
async fn recover(world: &Rc<World>) {
    world.faults.set_plan(FaultPlan::default());
    world.faults.land_late().await;
    for _ in 0..RECOVERY_ROUNDS {
        for i in 0..INGESTERS {
            {
                let mut ingester = world.ingesters[i].borrow_mut();
                ingester.up = true;
                ingester.asleep = false;
            }
            ingester::flush(world, i).await;
        }
    }
    for i in 0..GATEWAYS {
        if world.gateway(i).is_none() {
            world.start_gateway(i).await;
        }
    }
    world.checks.borrow_mut().unflushed = world.ingesters.iter().filter(|i| !i.borrow().holds_nothing()).count();
    for gateway in 0..GATEWAYS {
        for tenant in 0..TENANTS.len() {
            reader::query(world, gateway, tenant).await;
        }
    }
    let compactor = world.compactors.borrow()[0].clone();
    if let Some(compactor) = compactor {
        world.checks.borrow_mut().last_fold = Some(compactor.run_now().await.map_err(|error| error.to_string()));
    }
    for i in 0..COMPACTORS {
        world.kill_compactor(i).await;
    }
    for gateway in 0..GATEWAYS {
        for tenant in 0..TENANTS.len() {
            reader::query(world, gateway, tenant).await;
        }
    }
}

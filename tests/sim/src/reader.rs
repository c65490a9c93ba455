//! A reader: the querier's steps in their order, ingesters first.

use std::{rc::Rc, time::Duration};

use skald_blob::{BlobError, BlobStore};
use skald_model::{CommitVector, Rows};
use skald_segment::{SectionEntry, sort_rows};
use skald_wire::{api::GatewayApi, pb};

use crate::{
    rows::{self, Row, TENANTS},
    world::{GATEWAYS, Variant, World},
};

/// A query that finds no answer in so many attempts never will: a fault of the bucket lasts one request.
const ATTEMPTS_MAX: usize = 60;

/// Queries for the whole history.
pub(crate) async fn querier(world: Rc<World>) {
    while !world.over.get() {
        world.idle(100..900).await;
        let gateway = world.dice(GATEWAYS as u64) as usize;
        let tenant = world.dice(TENANTS.len() as u64) as usize;
        query(&world, gateway, tenant).await;
    }
}

/// One query of everything a tenant has, checked.
pub(crate) async fn query(world: &Rc<World>, gateway: usize, tenant: usize) {
    let must: Vec<u64> = {
        let ledger = world.ledger.borrow();
        let due = ledger.values().filter(|told| told.acknowledged && told.row.tenant == tenant);
        due.map(|told| told.row.id).collect()
    };
    let catalog_first = world.variant == Variant::CatalogFirst;
    let early = if catalog_first { stored(world, gateway, tenant, &CommitVector::new()).await } else { None };
    // A query with more silent ingesters than it may tolerate fails; this one is not asked then.
    let Some((memory, need)) = ask_ingesters(world, tenant) else { return };
    world.idle(0..400).await;
    let stored = match early {
        Some(rows) => Some(rows),
        None if world.variant == Variant::NoCommitVector => stored(world, gateway, tenant, &CommitVector::new()).await,
        None => stored(world, gateway, tenant, &need).await,
    };
    let Some(mut parts) = stored else {
        world.checks.borrow_mut().reads.starved();
        return;
    };
    parts.push(rows::columns(&memory));
    let found = rows::ids(&sort_rows(parts).into_rows());
    let ledger = world.ledger.borrow();
    world.checks.borrow_mut().reads.answered(&must, &found, |id| {
        // Rows under way are in memory before the ledger has them.
        ledger.get(&id).is_none_or(|told| told.row.tenant == tenant)
    });
}

fn ask_ingesters(world: &World, tenant: usize) -> Option<(Vec<Row>, CommitVector)> {
    let (mut memory, mut need, mut silent) = (Vec::new(), CommitVector::new(), world.disks_lost.get());
    for ingester in &world.ingesters {
        let ingester = ingester.borrow();
        if !ingester.answers() {
            silent += 1;
            continue;
        }
        let (rows, positions) = ingester.snapshot();
        memory.extend(rows.into_iter().filter(|row| row.tenant == tenant));
        need.merge(&positions);
    }
    (silent <= 1).then_some((memory, need))
}

/// Everything stored of a tenant, in a view that covers `need`; `None` when no attempt succeeded.
async fn stored(world: &Rc<World>, at: usize, tenant: usize, need: &CommitVector) -> Option<Vec<Rows>> {
    for _ in 0..ATTEMPTS_MAX {
        let Some(gateway) = world.gateway(at) else {
            tokio::time::sleep(Duration::from_millis(200)).await;
            continue;
        };
        let request = pb::ViewRequest {
            tenant: TENANTS[tenant].into(),
            from_ns: i64::MIN,
            to_ns: i64::MAX,
            need: Some(pb::CommitVector::from(need)),
        };
        let Ok(answer) = gateway.view(request).await else { continue };
        let covers = answer.covers.as_ref().and_then(|v| CommitVector::try_from(v).ok()).unwrap_or_default();
        world.checks.borrow_mut().covers.answered(at, &gateway, need, answer.generation, &covers);
        match read(world, &answer).await {
            Ok(rows) => return Some(rows),
            // Refused by the bucket, or gone: a new view, and all of it again.
            Err(_) => continue,
        }
    }
    None
}

async fn read(world: &World, answer: &pb::ViewAnswer) -> Result<Vec<Rows>, BlobError> {
    let store: std::sync::Arc<dyn BlobStore> = world.faults.clone();
    let mut parts = Vec::new();
    for section in &answer.sections {
        let entry = SectionEntry::decode(&section.entry).expect("the gateway encoded it");
        parts.extend(rows::read_section(&store, &section.object, &entry).await?);
    }
    Ok(parts)
}

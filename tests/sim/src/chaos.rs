//! What goes wrong: crashes, lost disks, false suspicion, restarts, requests that land late.

use std::rc::Rc;

use crate::world::{COMPACTORS, GATEWAYS, World};

/// Crashes and restarts ingester `i` now and then.
pub(crate) async fn crasher(world: Rc<World>, i: usize) {
    while !world.over.get() {
        world.idle(2_000..20_000).await;
        if world.over.get() {
            return;
        }
        world.ingesters[i].borrow_mut().crash();
        if world.disks_lost.get() == 0 && world.chance(5) {
            world.disks_lost.set(1);
            world.ingesters[i].borrow_mut().lose_disk();
        }
        world.idle(100..6_000).await;
        world.ingesters[i].borrow_mut().up = true;
    }
}

/// Drops ingester `i` from the ring now and then, dead or alive, for long enough to be sealed.
pub(crate) async fn suspicion(world: Rc<World>, i: usize) {
    while !world.over.get() {
        world.idle(3_000..25_000).await;
        world.leave_ring(i);
        world.idle(1_000..8_000).await;
        let writer = world.ingesters[i].borrow().writer.clone();
        world.join_ring(i, &writer);
    }
}

/// Restarts gateways now and then.
pub(crate) async fn gateway_restarts(world: Rc<World>) {
    while !world.over.get() {
        world.idle(3_000..15_000).await;
        world.start_gateway(world.dice(GATEWAYS as u64) as usize).await;
    }
}

/// Kills compactors in the middle of whatever they do, and starts them again.
pub(crate) async fn compactor_kills(world: Rc<World>) {
    while !world.over.get() {
        world.idle(500..6_000).await;
        let i = world.dice(COMPACTORS as u64) as usize;
        world.kill_compactor(i).await;
        world.idle(1..2_000).await;
        world.start_compactor(i);
    }
}

/// Lets requests land that nobody waits for any more.
pub(crate) async fn late_landings(world: Rc<World>) {
    while !world.over.get() {
        world.idle(1_000..9_000).await;
        world.faults.land_late().await;
    }
}

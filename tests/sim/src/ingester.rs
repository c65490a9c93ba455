//! A modelled ingester: what it holds, and the steps W1 to W4 of the protocol.
//!
//! Its memory and what it froze survive a crash, as the real one's write-ahead log does; a future that
//! was under way does not.

use std::rc::Rc;

use bytes::Bytes;
use skald_catalog::{FlushBody, FlushOutcome};
use skald_model::{CommitVector, LogPosition, Writer};
use skald_segment::Directory;
use skald_wire::{api::GatewayApi, pb};

use crate::{
    rows::{self, Row},
    world::{GATEWAYS, World},
};

pub(crate) struct Ingester {
    number: usize,
    incarnation: u32,
    pub(crate) writer: Writer,
    registered: bool,
    next_seq: u64,
    pub(crate) memory: Vec<Row>,
    frozen: Option<Frozen>,
    pub(crate) need: CommitVector,
    pub(crate) up: bool,
    /// Stopped for a while: takes no pushes, answers no reads, and goes on where it was.
    pub(crate) asleep: bool,
    /// Counts crashes: what was under way before one must not go on after it.
    life: u32,
}

/// A frozen memtable: the same bytes are sent until it is known what became of them.
#[derive(Clone)]
struct Frozen {
    position: LogPosition,
    flush_id: u128,
    rows: Vec<Row>,
    body: Bytes,
    directory: Directory,
}

impl Ingester {
    pub(crate) fn new(number: usize) -> Self {
        Self {
            number,
            incarnation: 0,
            writer: rows::writer(number, 0),
            registered: false,
            next_seq: 1,
            memory: Vec::new(),
            frozen: None,
            need: CommitVector::new(),
            up: true,
            asleep: false,
            life: 0,
        }
    }

    pub(crate) fn answers(&self) -> bool {
        self.up && !self.asleep
    }

    /// What a query gets: rows and positions of one moment.
    pub(crate) fn snapshot(&self) -> (Vec<Row>, CommitVector) {
        let frozen = self.frozen.iter().flat_map(|frozen| &frozen.rows);
        (self.memory.iter().chain(frozen).copied().collect(), self.need.clone())
    }

    pub(crate) fn holds_nothing(&self) -> bool {
        self.memory.is_empty() && self.frozen.is_none()
    }

    pub(crate) fn crash(&mut self) {
        self.up = false;
        self.asleep = false;
        self.life += 1;
    }

    /// The disk is gone: all unflushed rows, and the writer id with them.
    pub(crate) fn lose_disk(&mut self) {
        self.memory.clear();
        self.frozen = None;
        self.new_log();
    }

    fn new_log(&mut self) {
        self.incarnation += 1;
        self.writer = rows::writer(self.number, self.incarnation);
        self.registered = false;
        self.next_seq = 1;
    }

    /// W1: memory becomes a frozen memtable with its final place and bytes.
    fn freeze(&mut self, flush_id: u128) {
        if self.frozen.is_none() && !self.memory.is_empty() {
            let rows = std::mem::take(&mut self.memory);
            self.frozen = Some(self.frozen_at_head(rows, flush_id));
        }
    }

    fn frozen_at_head(&self, rows: Vec<Row>, flush_id: u128) -> Frozen {
        let position = LogPosition { writer: self.writer.clone(), seq: self.next_seq };
        let (body, directory) = rows::flushed_object(&rows, position.clone(), flush_id);
        Frozen { position, flush_id, rows, body, directory }
    }

    /// W4: the object is committed; from here on the rows are the catalog's.
    fn committed(&mut self) -> Option<Frozen> {
        let frozen = self.frozen.take()?;
        self.need.raise(&frozen.position.writer, frozen.position.seq);
        self.next_seq = frozen.position.seq + 1;
        Some(frozen)
    }
}

/// Flushes ingester `i` now and then for the whole history.
pub(crate) async fn flusher(world: Rc<World>, i: usize) {
    while !world.over.get() {
        world.idle(100..1500).await;
        flush(&world, i).await;
    }
}

/// One attempt to flush what ingester `i` holds.
pub(crate) async fn flush(world: &Rc<World>, i: usize) {
    let flush_id = u128::from(world.dice(u64::MAX));
    let (frozen, writer, registered, life) = {
        let mut ingester = world.ingesters[i].borrow_mut();
        if !ingester.answers() {
            return;
        }
        ingester.freeze(flush_id);
        let Some(frozen) = ingester.frozen.clone() else { return };
        (frozen, ingester.writer.clone(), ingester.registered, ingester.life)
    };
    let alive = || world.ingesters[i].borrow().life == life;
    if !registered {
        if world.catalog.register_writer(&writer).await.is_err() || !alive() {
            return;
        }
        world.ingesters[i].borrow_mut().registered = true;
        world.join_ring(i, &writer);
    }
    if !world.over.get() && world.chance(8) {
        // A long stop right before the PUT: long enough to be taken for dead and sealed.
        world.ingesters[i].borrow_mut().asleep = true;
        world.idle(500..9000).await;
        if !alive() {
            return;
        }
        world.ingesters[i].borrow_mut().asleep = false;
    }
    let body = FlushBody::Bytes(frozen.body.clone());
    let outcome = world.catalog.commit_flush(&writer, frozen.position.seq, frozen.flush_id, body).await;
    if !alive() {
        return;
    }
    match outcome {
        // Unknown or refused: the same bytes again at the next attempt.
        Err(_) => {}
        Ok(FlushOutcome::Committed) => {
            let done = world.ingesters[i].borrow_mut().committed();
            if let Some(frozen) = done {
                push(world, frozen);
            }
        }
        Ok(FlushOutcome::Fenced) => {
            let mut ingester = world.ingesters[i].borrow_mut();
            ingester.new_log();
            let rows = ingester.frozen.take().map(|frozen| frozen.rows).unwrap_or_default();
            ingester.frozen = Some(ingester.frozen_at_head(rows, flush_id.wrapping_add(1)));
            world.checks.borrow_mut().fenced += 1;
        }
    }
}

/// W3: the directory to the gateways, the head to gossip; each of them may be lost or late.
fn push(world: &Rc<World>, frozen: Frozen) {
    if world.chance(35) {
        world.gossip(|rings, now_ms| {
            rings.raise_head(&frozen.position.writer, frozen.position.seq, now_ms);
        });
    }
    for i in (0..GATEWAYS).filter(|_| world.chance(35)) {
        let notice = pb::CommitNotice {
            position: Some(pb::LogPosition { writer: frozen.position.writer.to_string(), seq: frozen.position.seq }),
            directory: frozen.directory.encode().into(),
        };
        let world = world.clone();
        tokio::task::spawn_local(async move {
            world.idle(1..800).await;
            if let Some(gateway) = world.gateway(i) {
                // A push that fails is a lost push.
                let _ = gateway.committed(notice).await;
            }
        });
    }
}

/// Pushes rows for the whole history, each to three ingesters; a quorum of two acknowledges.
pub(crate) async fn pusher(world: Rc<World>) {
    let mut id = 0;
    while !world.over.get() {
        world.idle(20..250).await;
        id += 1;
        // Most rows are of now, some are hours late; equal timestamps are common.
        let age = if world.chance(10) { 3600 * (1 + world.dice(5) as i64) } else { 0 };
        let timestamp = (world.now_ns() / 1_000_000_000 - age) * 1_000_000_000;
        let mut row = Row {
            id,
            tenant: world.dice(crate::rows::TENANTS.len() as u64) as usize,
            stream: world.dice(5) as u8,
            timestamp,
            arrival: world.now_ns() as u64,
        };
        let mut acknowledged = send(&world, row);
        if !acknowledged && world.chance(70) {
            row.arrival += 1_000_000;
            acknowledged = send(&world, row);
        }
        world.ledger.borrow_mut().insert(id, crate::world::Told { row, acknowledged });
    }
}

/// One push of a row; says whether a quorum took it.
fn send(world: &World, row: Row) -> bool {
    let spared = world.dice(world.ingesters.len() as u64) as usize;
    let mut taken = 0;
    for (i, ingester) in world.ingesters.iter().enumerate() {
        let mut ingester = ingester.borrow_mut();
        if i != spared && ingester.answers() && world.chance(93) {
            ingester.memory.push(row);
            taken += 1;
        }
    }
    taken >= 2
}

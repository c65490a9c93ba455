//! Seeded histories of appends, freezes and commits, each cut by a crash at a random operation of
//! the disk. The checker holds the acknowledged pushes against what a restart finds. That it would
//! notice a missing fdatasync or a missing sync of the directory is shown with disks that only
//! pretend to do them.

use std::collections::{BTreeMap, BTreeSet};

use skald_disk::{Loss, SimDisk};

use super::*;

/// Histories per test; a failing seed is printed.
const SEEDS: u64 = 150;

struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        ((z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB) >> 11) % bound
    }
}

/// What must be true of the next restart.
#[derive(Default)]
struct Oracle {
    /// Acknowledged pushes whose rows are not in the bucket.
    acknowledged: BTreeSet<u64>,
    /// Pushes whose answer was an error, or that were never answered.
    uncertain: BTreeSet<u64>,
    /// Rows of frozen memtables by sequence number, as memory had them.
    frozen: BTreeMap<u64, Vec<u64>>,
    /// Pushes in the memtable being filled.
    active: Vec<u64>,
    committed: u64,
}

/// One life of a process over `disk`, until the disk stops; checks what it finds first.
fn live(disk: &SimDisk, oracle: &mut Oracle, random: &mut Random, next: &mut u64) -> Result<(), String> {
    let recovered = open(disk);
    let mut found = BTreeSet::new();
    for frozen in &recovered.frozen {
        let (rows, _) = numbers(&recovered.dir, &frozen.files);
        if let Some(expect) = oracle.frozen.get(&frozen.seq) {
            // Rows of unanswered pushes may appear in addition, those that memory had may not vanish.
            let missing = expect.iter().any(|n| !rows.contains(n));
            let extra = rows.iter().any(|n| !expect.contains(n) && !oracle.uncertain.contains(n));
            if missing || extra {
                return Err(format!("seq {} had {expect:?}, has {rows:?}", frozen.seq));
            }
        }
        found.extend(rows);
    }
    let manifest = recovered.dir.manifest();
    if manifest.committed < oracle.committed {
        return Err(format!("committed {} was {}", manifest.committed, oracle.committed));
    }
    let (active, report) = numbers(&recovered.dir, &recovered.active);
    found.extend(&active);
    let lost: Vec<_> = oracle.acknowledged.difference(&found).collect();
    if !lost.is_empty() {
        return Err(format!("acknowledged and lost: {lost:?}"));
    }
    if report.skipped > 0 {
        return Err("a crash is no damage".to_owned());
    }
    // A restart serves what it found: from now on those rows may not vanish either.
    oracle.acknowledged.extend(&found);
    oracle.uncertain.clear();
    oracle.frozen = recovered.frozen.iter().map(|f| (f.seq, numbers(&recovered.dir, &f.files).0)).collect();
    oracle.active = active;
    let mut flushed: Vec<u64> = oracle.frozen.keys().copied().collect();

    disk.stop_after(random.below(120));
    let rig = Rig::start(&recovered, SyncMode::Always);
    while !disk.is_stopped() {
        match random.below(6) {
            0..=2 => {
                let group: Vec<u64> = (0..=random.below(4)).map(|i| *next + i).collect();
                *next += group.len() as u64;
                let answers =
                    if group.len() == 1 { vec![block_on(rig.append(group[0]))] } else { rig.append_group(&group) };
                for (&number, acknowledged) in group.iter().zip(answers) {
                    if acknowledged {
                        oracle.acknowledged.insert(number);
                        oracle.active.push(number);
                    } else {
                        oracle.uncertain.insert(number);
                    }
                }
            }
            3 | 4 => {
                let rotated = rig.rotate().unwrap();
                let rows = std::mem::take(&mut oracle.active);
                match recovered.dir.record_frozen(rotated.files, rotated.active_from, 1) {
                    Ok(frozen) => {
                        oracle.frozen.insert(frozen.seq, rows);
                        flushed.push(frozen.seq);
                    }
                    // The files stay; whether they are frozen or active is open.
                    Err(_) => break,
                }
            }
            _ => {
                let Some(&seq) = flushed.first() else { continue };
                // The object is in the bucket from here on, whatever the manifest will say.
                let rows = oracle.frozen.get(&seq).cloned().unwrap_or_default();
                rows.iter().for_each(|n| _ = oracle.acknowledged.remove(n));
                if recovered.dir.record_committed(seq).is_err() {
                    break;
                }
                oracle.frozen.remove(&seq);
                oracle.committed = seq;
                flushed.remove(0);
            }
        }
    }
    block_on(rig.wal.close());
    Ok(())
}

fn history(seed: u64, set_up: fn(&SimDisk)) -> Result<(), String> {
    let disk = SimDisk::new(seed);
    set_up(&disk);
    let mut random = Random(seed);
    let (mut oracle, mut next) = (Oracle::default(), 1);
    for _ in 0..6 {
        live(&disk, &mut oracle, &mut random, &mut next)?;
        disk.crash(if random.below(2) == 0 { Loss::Everything } else { Loss::Some });
    }
    live(&disk, &mut oracle, &mut random, &mut next)
}

#[test]
fn acknowledged_pushes_survive_every_crash() {
    for seed in 0..SEEDS {
        history(seed, |_| ()).unwrap_or_else(|e| panic!("seed {seed}: {e}"));
    }
}

#[test]
fn a_log_without_fdatasync_is_caught() {
    let caught = (0..20).filter(|&seed| history(seed, |disk| disk.lie_about_data_sync(true)).is_err()).count();
    assert!(caught > 10, "{caught} of 20");
}

#[test]
fn a_log_without_directory_sync_is_caught() {
    let caught = (0..20).filter(|&seed| history(seed, |disk| disk.lie_about_dir_sync(true)).is_err()).count();
    assert!(caught > 10, "{caught} of 20");
}

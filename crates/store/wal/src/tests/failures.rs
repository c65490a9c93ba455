//! One failure at a time: full disk, failing fdatasync, damage, a second process.

use std::sync::atomic::Ordering::Relaxed;

use skald_disk::{Loss, RealDisk, SimDisk};

use super::*;
use crate::{WalError, manifest, record};

#[test]
fn golden_bytes_are_those_of_the_format_page() {
    let page = include_str!("../../../../../docs/format/wal.md");
    let hex = |bytes: &[u8]| {
        let words: Vec<String> = bytes.iter().map(|b| format!("{b:02x}")).collect();
        words.chunks(16).map(|line| line.join(" ")).collect::<Vec<_>>().join("\n")
    };
    let salt = 0x1234_5678;
    let mut file = crate::scan::header(salt).to_vec();
    file.extend(record::written(&sample(300, &[b"abc", b"de"]), salt));
    let manifest = manifest::sample().encode();
    for expect in [hex(&file), manifest.trim_end().to_owned()] {
        assert!(page.contains(&expect), "not in docs/format/wal.md:\n{expect}");
    }
}

#[test]
fn waiting_appends_share_one_fdatasync() {
    let disk = SimDisk::new(1);
    let recovered = open(&disk);
    let rig = Rig::start(&recovered, SyncMode::Always);
    assert!(block_on(rig.append(1)));
    let before = disk.data_syncs();
    assert_eq!(rig.append_group(&(2..=40).collect::<Vec<_>>()), [true; 39]);
    assert_eq!(disk.data_syncs() - before, 1);
    assert_eq!(*rig.applied.lock().unwrap(), (1..=40).collect::<Vec<_>>());
    assert_eq!(rig.wal.stats().records.load(Relaxed), 40);
}

#[test]
fn a_failed_fdatasync_fails_its_pushes_and_a_new_file_goes_on() {
    let disk = SimDisk::new(1);
    let recovered = open(&disk);
    let rig = Rig::start(&recovered, SyncMode::Always);
    assert!(block_on(rig.append(1)));
    disk.fail_next_sync();
    assert_eq!(rig.append_group(&[2, 3]), [false, false]);
    assert!(block_on(rig.append(4)));
    assert_eq!(*rig.applied.lock().unwrap(), [1, 4]);
    let rotated = rig.rotate().unwrap();
    assert_eq!(rotated.files, [1, 2]);
    block_on(rig.wal.close());
    drop((rig, recovered));
    disk.crash(Loss::Everything);
    let again = open(&disk);
    assert_eq!(numbers(&again.dir, &again.active).0, [1, 4]);
}

#[test]
fn a_full_disk_refuses_and_recovers() {
    let disk = SimDisk::new(1);
    let recovered = open(&disk);
    let rig = Rig::start(&recovered, SyncMode::Always);
    assert!(block_on(rig.append(1)));
    // Room for a part of the next record: the rest must be cut off again.
    disk.set_capacity(Some(disk.used_bytes() + 30));
    assert!(!block_on(rig.append(2)));
    assert_eq!(rig.wal.stats().disk_full.load(Relaxed), 1);
    disk.set_capacity(None);
    assert!(block_on(rig.append(3)));
    block_on(rig.wal.close());
    drop((rig, recovered));
    disk.crash(Loss::Everything);
    let again = open(&disk);
    let (found, report) = numbers(&again.dir, &again.active);
    assert_eq!((found, report.skipped, report.torn_bytes), (vec![1, 3], 0, 0));
}

#[test]
fn a_damaged_record_is_skipped_and_reported() {
    let disk = SimDisk::new(1);
    let recovered = open(&disk);
    let rig = Rig::start(&recovered, SyncMode::Always);
    (1..=3).for_each(|n| assert!(block_on(rig.append(n))));
    block_on(rig.wal.close());
    let name = disk.list(Path::new(DIR)).unwrap().into_iter().map(|e| e.name).find(|n| n.ends_with(".wal")).unwrap();
    let record = sample(1, &[b"first batch", b"second batch of the push"]).encode().unwrap().written_len();
    disk.flip_bit(&Path::new(DIR).join(name), 8 * (16 + record as u64 + 50)).unwrap();
    drop((rig, recovered));
    let again = open(&disk_after(&disk));
    let (found, report) = numbers(&again.dir, &again.active);
    assert_eq!((found, report.skipped, report.skipped_bytes), (vec![1, 3], 1, record as u64));
}

fn disk_after(disk: &SimDisk) -> SimDisk {
    disk.crash(Loss::Everything);
    disk.clone()
}

#[test]
fn a_full_memtable_ends_before_the_record_that_would_overflow_it() {
    let disk = SimDisk::new(1);
    let recovered = open(&disk);
    let record = sample(1, &[b"first batch", b"second batch of the push"]).encode().unwrap().written_len();
    let rig = Rig::start_with_limit(&recovered, SyncMode::Always, 2 * record);
    (1..=5).for_each(|n| assert!(block_on(rig.append(n))));
    let ended = rig.rotated.lock().unwrap().clone();
    let rows: Vec<Vec<u64>> = ended.iter().map(|r| numbers(&recovered.dir, &r.files).0).collect();
    assert_eq!(rows, [[1, 2], [3, 4]]);
}

#[test]
fn a_closed_log_says_so() {
    let disk = SimDisk::new(1);
    let rig = Rig::start(&open(&disk), SyncMode::Always);
    block_on(rig.wal.close());
    assert!(!block_on(rig.append(1)));
    assert_eq!(rig.rotate(), Err(crate::AppendError::Closed));
}

#[test]
fn one_process_at_a_time_and_the_writer_id_stays() {
    let temp = tempfile::tempdir().unwrap();
    let open = |id: &str| WalDir::open(Arc::new(RealDisk), &temp.path().join("wal"), || Writer::new(id).unwrap(), 1);
    let first = open("first").unwrap();
    assert!(matches!(open("second"), Err(WalError::Locked(_))));
    let rig = Rig::start(&first, SyncMode::Always);
    assert_eq!(rig.append_group(&[1, 2, 3]), [true; 3]);
    let rotated = rig.rotate().unwrap();
    assert!(block_on(rig.append(4)));
    let frozen = first.dir.record_frozen(rotated.files, rotated.active_from, 77).unwrap();
    assert_eq!(frozen.seq, 1);
    block_on(rig.wal.close());
    drop((rig, first));

    let second = open("second").unwrap();
    assert_eq!(second.dir.manifest().writer.as_str(), "first");
    assert_eq!(second.frozen, std::slice::from_ref(&frozen));
    assert_eq!(numbers(&second.dir, &frozen.files).0, [1, 2, 3]);
    assert_eq!(numbers(&second.dir, &second.active).0, [4]);
    second.dir.record_committed(1).unwrap();
    drop(second);

    let third = open("third").unwrap();
    assert_eq!((third.dir.manifest().committed, third.frozen.len(), third.active.len()), (1, 0, 1));
    let renamed = third.dir.change_writer(Writer::new("other").unwrap(), || 5).unwrap();
    assert!(renamed.is_empty());
    assert_eq!(third.dir.manifest().former, [(Writer::new("first").unwrap(), 1)]);
}

#[test]
fn a_lost_manifest_means_a_new_writer_and_all_rows_again() {
    let disk = SimDisk::new(1);
    let recovered = open(&disk);
    let rig = Rig::start(&recovered, SyncMode::Always);
    assert!(block_on(rig.append(1)));
    let rotated = rig.rotate().unwrap();
    recovered.dir.record_frozen(rotated.files, rotated.active_from, 1).unwrap();
    assert!(block_on(rig.append(2)));
    block_on(rig.wal.close());
    drop((rig, recovered));
    disk.flip_bit(&Path::new(DIR).join("writer"), 77).unwrap();
    disk.crash(Loss::Everything);
    let again = WalDir::open(disk.arc(), Path::new(DIR), || Writer::new("w2").unwrap(), 7).unwrap();
    assert!(again.manifest_lost && again.frozen.is_empty());
    assert_eq!(again.dir.manifest().writer.as_str(), "w2");
    assert_eq!(numbers(&again.dir, &again.active).0, [1, 2]);
}

#[test]
fn interval_mode_answers_before_the_sync_and_loses_only_what_came_after_it() {
    let disk = SimDisk::new(1);
    let recovered = open(&disk);
    let rig = Rig::start(&recovered, SyncMode::Interval);
    let before = disk.data_syncs();
    assert!(block_on(rig.append(1)));
    assert_eq!(disk.data_syncs(), before);
    block_on(rig.wal.sync());
    assert!(block_on(rig.append(2)));
    disk.crash(Loss::Everything);
    drop((rig, recovered));
    let again = open(&disk);
    assert_eq!(numbers(&again.dir, &again.active).0, [1]);
}

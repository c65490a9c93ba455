//! The same promises on both disks, and what only the simulated one can show.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::*;

fn file_of(disk: &dyn Disk, path: &Path, bytes: &[u8], sync: bool) -> Box<dyn DiskFile> {
    let mut file = disk.create(path).unwrap();
    file.append(bytes).unwrap();
    if sync {
        file.sync_data().unwrap();
    }
    file
}

fn promises(disk: &dyn Disk, root: PathBuf) {
    let dir = root.join("a/b");
    disk.create_dir_all(&dir).unwrap();
    disk.create_dir_all(&dir).unwrap();
    let (one, two, three) = (dir.join("one"), dir.join("two"), dir.join("three"));
    let mut file = file_of(disk, &one, b"hello", true);
    assert_eq!(disk.create(&one).err().unwrap().kind(), ErrorKind::AlreadyExists);
    file.append(b" world").unwrap();
    assert_eq!(file.len().unwrap(), 11);
    let mut middle = [0; 5];
    file.read_exact_at(&mut middle, 6).unwrap();
    assert_eq!(&middle, b"world");
    assert_eq!(file.read_exact_at(&mut middle, 7).unwrap_err().kind(), ErrorKind::UnexpectedEof);
    file.truncate(3).unwrap();
    file.append(b"p").unwrap();
    assert_eq!(disk.read(&one).unwrap(), b"help");
    disk.hard_link(&one, &two).unwrap();
    assert_eq!(disk.hard_link(&one, &two).unwrap_err().kind(), ErrorKind::AlreadyExists);
    disk.rename(&two, &three).unwrap();
    disk.remove(&one).unwrap();
    assert_eq!(disk.read(&three).unwrap(), b"help");
    assert_eq!(disk.read(&two).unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(disk.remove(&one).unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(disk.open(&one).err().unwrap().kind(), ErrorKind::NotFound);
    assert_eq!(disk.metadata(&three).unwrap().len, 4);
    assert!(disk.metadata(&dir).unwrap().is_dir);
    disk.sync_dir(&dir).unwrap();
    let mut again = disk.open(&three).unwrap();
    again.append(b"!").unwrap();
    assert_eq!(disk.read(&three).unwrap(), b"help!");
    let names = |d: &Path| disk.list(d).unwrap().into_iter().map(|e| (e.name, e.is_dir)).collect::<Vec<_>>();
    assert_eq!(names(&dir), [("three".to_owned(), false)]);
    assert_eq!(names(&root.join("a")), [("b".to_owned(), true)]);
    assert_eq!(disk.list(&root.join("none")).unwrap_err().kind(), ErrorKind::NotFound);

    let lock = disk.lock_dir(&dir).unwrap();
    assert_eq!(disk.lock_dir(&dir).unwrap_err().kind(), ErrorKind::WouldBlock);
    drop(lock);
    drop(disk.lock_dir(&dir).unwrap());
}

#[test]
fn both_disks_keep_the_promises() {
    let dir = tempfile::tempdir().unwrap();
    promises(&RealDisk, dir.path().to_path_buf());
    promises(&SimDisk::new(1), PathBuf::from("/sim"));
}

#[test]
fn a_crash_keeps_exactly_what_was_synced() {
    // (bytes synced, name synced, what is found)
    let table = [(true, true, Some(&b"abc"[..])), (false, true, Some(b"")), (true, false, None), (false, false, None)];
    for (data, name, found) in table {
        let disk = SimDisk::new(7);
        let dir = Path::new("/d");
        disk.create_dir_all(dir).unwrap();
        let path = dir.join("f");
        let mut file = file_of(&disk, &path, b"abc", data);
        if name {
            disk.sync_dir(dir).unwrap();
        }
        file.append(b"lost").unwrap();
        disk.crash(Loss::Everything);
        assert_eq!(disk.read(&path).ok().as_deref(), found, "data {data} name {name}");
        assert!(file.append(b"x").is_err(), "a handle from before the crash is void");
    }
}

#[test]
fn a_removal_or_rename_without_sync_is_undone() {
    let disk = SimDisk::new(7);
    let dir = Path::new("/d");
    disk.create_dir_all(dir).unwrap();
    file_of(&disk, &dir.join("gone"), b"1", true);
    file_of(&disk, &dir.join("old"), b"2", true);
    file_of(&disk, &dir.join("temp"), b"3", true);
    disk.sync_dir(dir).unwrap();
    disk.remove(&dir.join("gone")).unwrap();
    disk.rename(&dir.join("temp"), &dir.join("old")).unwrap();
    assert_eq!(disk.read(&dir.join("old")).unwrap(), b"3");
    disk.crash(Loss::Everything);
    for (name, content) in [("gone", b"1"), ("old", b"2"), ("temp", b"3")] {
        assert_eq!(disk.read(&dir.join(name)).unwrap(), content, "{name}");
    }
}

#[test]
fn some_loss_leaves_prefixes_of_every_length() {
    let mut seen = std::collections::BTreeSet::new();
    for seed in 0..100 {
        let disk = SimDisk::new(seed);
        disk.create_dir_all(Path::new("/d")).unwrap();
        let mut file = file_of(&disk, Path::new("/d/f"), b"ab", true);
        disk.sync_dir(Path::new("/d")).unwrap();
        file.append(b"cdef").unwrap();
        disk.crash(Loss::Some);
        let found = disk.read(Path::new("/d/f")).unwrap();
        assert!(b"abcdef".starts_with(&found) && found.len() >= 2, "{found:?}");
        seen.insert(found.len());
    }
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), [2, 3, 4, 5, 6]);
}

#[test]
fn bytes_of_a_failed_sync_never_become_durable() {
    let disk = SimDisk::new(7);
    disk.create_dir_all(Path::new("/d")).unwrap();
    let mut file = file_of(&disk, Path::new("/d/f"), b"ab", true);
    disk.sync_dir(Path::new("/d")).unwrap();
    file.append(b"cd").unwrap();
    disk.fail_next_sync();
    file.sync_data().unwrap_err();
    file.append(b"ef").unwrap();
    file.sync_data().unwrap();
    disk.crash(Loss::Everything);
    assert_eq!(disk.read(Path::new("/d/f")).unwrap(), b"ab\0\0ef");
}

#[test]
fn a_full_disk_takes_what_fits_and_recovers_by_removal() {
    let disk = SimDisk::new(7);
    disk.create_dir_all(Path::new("/d")).unwrap();
    disk.set_capacity(Some(5));
    file_of(&disk, Path::new("/d/old"), b"abc", true);
    let mut file = disk.create(Path::new("/d/new")).unwrap();
    assert_eq!(file.append(b"xyz").unwrap_err().kind(), ErrorKind::StorageFull);
    assert_eq!(disk.read(Path::new("/d/new")).unwrap(), b"xy");
    file.truncate(0).unwrap();
    disk.remove(Path::new("/d/old")).unwrap();
    file.append(b"xyz").unwrap();
    assert_eq!(disk.used_bytes(), 3);
}

#[test]
fn a_stopped_disk_fails_until_the_crash() {
    let disk = SimDisk::new(7);
    disk.create_dir_all(Path::new("/d")).unwrap();
    disk.stop_after(2);
    let mut file = file_of(&disk, Path::new("/d/f"), b"a", false);
    assert!(disk.is_stopped());
    file.sync_data().unwrap_err();
    disk.sync_dir(Path::new("/d")).unwrap_err();
    disk.crash(Loss::Everything);
    assert!(disk.list(Path::new("/d")).unwrap().is_empty());
    disk.sync_dir(Path::new("/d")).unwrap();
}

#[test]
fn a_lying_disk_acknowledges_and_forgets() {
    for (lie_data, lie_dir) in [(true, false), (false, true)] {
        let disk = SimDisk::new(7);
        disk.create_dir_all(Path::new("/d")).unwrap();
        disk.lie_about_data_sync(lie_data);
        disk.lie_about_dir_sync(lie_dir);
        file_of(&disk, Path::new("/d/f"), b"abc", true);
        disk.sync_dir(Path::new("/d")).unwrap();
        disk.crash(Loss::Everything);
        assert_ne!(disk.read(Path::new("/d/f")).ok().as_deref(), Some(&b"abc"[..]));
    }
}

#[test]
fn a_lock_is_released_by_a_crash_and_not_by_the_dead_holder() {
    let disk = SimDisk::new(7);
    disk.create_dir_all(Path::new("/d")).unwrap();
    let dead = disk.lock_dir(Path::new("/d")).unwrap();
    disk.crash(Loss::Everything);
    let _alive = disk.lock_dir(Path::new("/d")).unwrap();
    drop(dead);
    disk.lock_dir(Path::new("/d")).unwrap_err();
}

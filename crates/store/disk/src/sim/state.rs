//! Inodes and directories of the simulated disk, each as the program sees it and as a crash leaves it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;
use std::path::{Path, PathBuf};

use super::Loss;
use crate::{DirEntry, Metadata};

pub(super) struct State {
    inodes: HashMap<u64, Inode>,
    dirs: BTreeMap<PathBuf, Dir>,
    pub(super) locks: BTreeSet<PathBuf>,
    next_inode: u64,
    random: u64,
    /// Counts crashes; a handle of an earlier epoch is void.
    pub(super) epoch: u64,
    pub(super) operations: u64,
    pub(super) operations_left: Option<u64>,
    pub(super) data_syncs: u64,
    pub(super) capacity: Option<u64>,
    pub(super) used: u64,
    pub(super) fail_next_sync: bool,
    pub(super) lie_data: bool,
    pub(super) lie_dir: bool,
}

#[derive(Default)]
struct Inode {
    data: Vec<u8>,
    stable: Vec<u8>,
    /// Up to here `stable` has been offered what `data` holds; a failed sync moves it without copying.
    clean_len: usize,
    links: u32,
    modified_ms: i64,
}

/// One change of a directory: the name now means this file, or nothing.
type Change = (String, Option<u64>);

#[derive(Default)]
struct Dir {
    files: BTreeMap<String, u64>,
    stable: BTreeMap<String, u64>,
    /// What happened to `files` since `stable` was written, in order.
    unsynced: Vec<Change>,
}

impl State {
    pub(super) fn new(seed: u64) -> State {
        State {
            inodes: HashMap::new(),
            dirs: BTreeMap::new(),
            locks: BTreeSet::new(),
            next_inode: 1,
            random: seed,
            epoch: 0,
            operations: 0,
            operations_left: None,
            data_syncs: 0,
            capacity: None,
            used: 0,
            fail_next_sync: false,
            lie_data: false,
            lie_dir: false,
        }
    }

    /// Counts a changing operation, or refuses it on a stopped disk.
    fn step(&mut self) -> io::Result<()> {
        match &mut self.operations_left {
            Some(0) => return Err(io::Error::other("the disk has stopped")),
            Some(left) => *left -= 1,
            None => {}
        }
        self.operations += 1;
        Ok(())
    }

    /// SplitMix64, below `bound` inclusive.
    fn pick(&mut self, bound: usize) -> usize {
        self.random = self.random.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^= z >> 31;
        usize::try_from(z % (bound as u64 + 1)).expect("at most bound, which is a usize")
    }

    pub(super) fn crash(&mut self, loss: Loss) {
        self.epoch += 1;
        self.operations_left = None;
        self.locks.clear();
        let mut dirs = std::mem::take(&mut self.dirs);
        for dir in dirs.values_mut() {
            let kept = if loss == Loss::Some { self.pick(dir.unsynced.len()) } else { 0 };
            for (name, inode) in dir.unsynced.drain(..).take(kept) {
                set(&mut dir.stable, name, inode);
            }
            dir.files = dir.stable.clone();
        }
        self.dirs = dirs;

        let mut links: HashMap<u64, u32> = HashMap::new();
        for inode in self.dirs.values().flat_map(|d| d.files.values()) {
            *links.entry(*inode).or_default() += 1;
        }
        self.inodes.retain(|inode, _| links.contains_key(inode));
        // In order of number: the seed alone decides.
        let mut inodes: Vec<u64> = self.inodes.keys().copied().collect();
        inodes.sort_unstable();
        for number in inodes {
            let unsynced = self.inodes[&number].data.len().saturating_sub(self.inodes[&number].clean_len);
            let kept = if loss == Loss::Some { self.pick(unsynced) } else { 0 };
            let inode = self.inodes.get_mut(&number).expect("number is one of the keys");
            if kept > 0 {
                inode.write_back(inode.clean_len + kept);
            }
            inode.data = inode.stable.clone();
            inode.clean_len = inode.data.len();
            inode.links = links[&number];
        }
        self.used = self.inodes.values().map(|i| i.data.len() as u64).sum();
    }

    pub(super) fn create_dir_all(&mut self, dir: &Path) -> io::Result<()> {
        self.step()?;
        for path in dir.ancestors() {
            self.dirs.entry(path.to_path_buf()).or_default();
        }
        Ok(())
    }

    pub(super) fn create(&mut self, path: &Path) -> io::Result<(u64, u64)> {
        self.step()?;
        if self.lookup(path).is_ok() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let number = self.next_inode;
        let modified_ms = i64::try_from(self.operations).unwrap_or(i64::MAX);
        self.change(path, Some(number))?;
        self.next_inode += 1;
        self.inodes.insert(number, Inode { links: 1, modified_ms, ..Inode::default() });
        Ok((number, self.epoch))
    }

    pub(super) fn file(&self, path: &Path) -> io::Result<u64> {
        self.lookup(path)
    }

    pub(super) fn content(&self, inode: u64) -> &[u8] {
        self.inodes.get(&inode).map_or(&[], |i| &i.data)
    }

    pub(super) fn metadata(&self, path: &Path) -> io::Result<Metadata> {
        if self.dirs.contains_key(path) {
            return Ok(Metadata { len: 0, modified_ms: 0, is_dir: true });
        }
        let inode = &self.inodes[&self.lookup(path)?];
        Ok(Metadata { len: inode.data.len() as u64, modified_ms: inode.modified_ms, is_dir: false })
    }

    pub(super) fn list(&self, dir: &Path) -> io::Result<Vec<DirEntry>> {
        let files = self.dir(dir)?.files.keys().map(|name| DirEntry { name: name.clone(), is_dir: false });
        let below = self.dirs.keys().filter(|d| d.parent() == Some(dir));
        let dirs = below.filter_map(|d| Some(DirEntry { name: d.file_name()?.to_str()?.to_owned(), is_dir: true }));
        let mut entries: Vec<DirEntry> = files.chain(dirs).collect();
        entries.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }

    pub(super) fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        self.step()?;
        let inode = self.lookup(from)?;
        if let Ok(replaced) = self.lookup(to) {
            if replaced == inode {
                return Ok(()); // two names of one file: POSIX leaves both
            }
            self.unlink(replaced);
        }
        self.change(to, Some(inode))?;
        self.change(from, None)
    }

    pub(super) fn hard_link(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        self.step()?;
        let inode = self.lookup(from)?;
        if self.lookup(to).is_ok() || self.dirs.contains_key(to) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        self.change(to, Some(inode))?;
        self.inode(inode).links += 1;
        Ok(())
    }

    pub(super) fn remove(&mut self, path: &Path) -> io::Result<()> {
        self.step()?;
        let inode = self.lookup(path)?;
        self.change(path, None)?;
        self.unlink(inode);
        Ok(())
    }

    pub(super) fn sync_dir(&mut self, dir: &Path) -> io::Result<()> {
        self.step()?;
        let lie = self.lie_dir;
        let dir = self.dirs.get_mut(dir).ok_or(io::ErrorKind::NotFound)?;
        if !lie {
            dir.unsynced.clear();
            dir.stable = dir.files.clone();
        }
        Ok(())
    }

    pub(super) fn lock_dir(&mut self, dir: &Path) -> io::Result<()> {
        self.dir(dir)?;
        if self.locks.insert(dir.to_path_buf()) {
            Ok(())
        } else {
            Err(io::Error::new(io::ErrorKind::WouldBlock, format!("{} is locked", dir.display())))
        }
    }

    pub(super) fn append(&mut self, number: u64, bytes: &[u8]) -> io::Result<()> {
        self.step()?;
        let room = self.capacity.map_or(u64::MAX, |c| c.saturating_sub(self.used));
        let fits = bytes.len().min(usize::try_from(room).unwrap_or(usize::MAX));
        self.used += fits as u64;
        let modified_ms = i64::try_from(self.operations).unwrap_or(i64::MAX);
        let inode = self.inode(number);
        inode.data.extend_from_slice(&bytes[..fits]);
        inode.modified_ms = modified_ms;
        if fits < bytes.len() { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    pub(super) fn sync_data(&mut self, number: u64) -> io::Result<()> {
        self.step()?;
        self.data_syncs += 1;
        let fail = std::mem::take(&mut self.fail_next_sync);
        let lie = self.lie_data;
        let inode = self.inode(number);
        if fail {
            // The kernel marks the pages clean and forgets them: a later sync has nothing to write.
            inode.clean_len = inode.data.len();
            return Err(io::Error::other("simulated failure of a sync"));
        }
        if !lie {
            inode.write_back(inode.data.len());
        }
        Ok(())
    }

    pub(super) fn truncate(&mut self, number: u64, len: u64) -> io::Result<()> {
        self.step()?;
        let len = usize::try_from(len).map_err(io::Error::other)?;
        let inode = self.inode(number);
        let old = inode.data.len() as u64;
        inode.data.resize(len, 0);
        inode.clean_len = inode.clean_len.min(len);
        self.used = (self.used + len as u64).saturating_sub(old);
        Ok(())
    }

    pub(super) fn flip_bit(&mut self, path: &Path, bit: u64) -> io::Result<()> {
        let number = self.lookup(path)?;
        let byte = usize::try_from(bit / 8).map_err(io::Error::other)?;
        let inode = self.inode(number);
        for content in [&mut inode.data, &mut inode.stable] {
            if let Some(b) = content.get_mut(byte) {
                *b ^= 1 << (bit % 8);
            }
        }
        Ok(())
    }

    fn lookup(&self, path: &Path) -> io::Result<u64> {
        let (dir, name) = split(path)?;
        let number = self.dir(dir)?.files.get(name).copied();
        Ok(number.ok_or(io::ErrorKind::NotFound)?)
    }

    fn dir(&self, dir: &Path) -> io::Result<&Dir> {
        Ok(self.dirs.get(dir).ok_or(io::ErrorKind::NotFound)?)
    }

    fn inode(&mut self, number: u64) -> &mut Inode {
        // An open file that was removed lives on, as on a real disk, until the next crash.
        self.inodes.entry(number).or_default()
    }

    fn change(&mut self, path: &Path, inode: Option<u64>) -> io::Result<()> {
        let (dir, name) = split(path)?;
        let dir = self.dirs.get_mut(dir).ok_or(io::ErrorKind::NotFound)?;
        set(&mut dir.files, name.to_owned(), inode);
        dir.unsynced.push((name.to_owned(), inode));
        Ok(())
    }

    fn unlink(&mut self, number: u64) {
        let inode = self.inode(number);
        inode.links = inode.links.saturating_sub(1);
        if inode.links == 0 {
            // The bytes stay for open handles and for a crash that brings the name back.
            self.used = self.used.saturating_sub(self.inodes[&number].data.len() as u64);
        }
    }
}

impl Inode {
    /// Makes the content up to `len` what a crash leaves, except bytes that a failed sync gave up:
    /// those are zeros.
    fn write_back(&mut self, len: usize) {
        self.stable.resize(self.clean_len.min(len), 0);
        self.stable.extend_from_slice(&self.data[self.clean_len.min(len)..len]);
        self.clean_len = len;
    }
}

fn set(names: &mut BTreeMap<String, u64>, name: String, inode: Option<u64>) {
    match inode {
        Some(inode) => names.insert(name, inode),
        None => names.remove(&name),
    };
}

fn split(path: &Path) -> io::Result<(&Path, &str)> {
    let dir = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    let name = path.file_name().and_then(|n| n.to_str()).ok_or(io::ErrorKind::InvalidInput)?;
    Ok((dir, name))
}

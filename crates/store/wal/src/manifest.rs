//! The manifest: a small text file that says whose log this directory is and which files hold the
//! rows of which sequence number, so that a restart finds exactly the same rows for a number that may
//! have been uploaded already. Written whole to a new file and renamed, so it is old or new, never half.
//!
//! ```text
//! skald-wal 1
//! writer ing0-5f2c9a1be0d34417
//! committed 17
//! active-from 42
//! former ing0-00aa11bb22cc33dd 311
//! frozen 18 7d1f04b2c6a89e350213557799bbddff 38 39
//! crc 5d41402a
//! ```

use std::fmt::Write;

use skald_model::Writer;

/// What the manifest says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// Whose log.
    pub writer: Writer,
    /// The last sequence number whose object is known to be in the bucket; 0 for none.
    pub committed: u64,
    /// Files with this number or a higher one belong to the memtable that is being filled. Files below
    /// it that no frozen memtable names are left over and may be removed.
    pub active_from: u64,
    /// Earlier writer ids of this directory, given up because their log was sealed, with the last
    /// sequence number committed under each.
    pub former: Vec<(Writer, u64)>,
    /// Frozen memtables that are not committed, in the order of their sequence numbers.
    pub frozen: Vec<FrozenFiles>,
}

/// The files of one frozen memtable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FrozenFiles {
    /// Its sequence number in the writer's log.
    pub seq: u64,
    /// Recognises the object of this flush if an upload's outcome is unknown.
    pub flush_id: u128,
    /// Numbers of its WAL files, ascending.
    pub files: Vec<u64>,
}

impl Manifest {
    /// The manifest of a new directory.
    pub fn new(writer: Writer) -> Self {
        Self { writer, committed: 0, active_from: 1, former: Vec::new(), frozen: Vec::new() }
    }

    /// The sequence number after all that were given out.
    pub fn next_seq(&self) -> u64 {
        self.frozen.last().map_or(self.committed, |f| f.seq) + 1
    }

    /// True when a memtable names this file or it is one of the memtable being filled.
    pub fn needs(&self, file: u64) -> bool {
        file >= self.active_from || self.frozen.iter().any(|f| f.files.contains(&file))
    }

    /// The text.
    pub fn encode(&self) -> String {
        let mut out = format!(
            "skald-wal 1\nwriter {}\ncommitted {}\nactive-from {}\n",
            self.writer, self.committed, self.active_from
        );
        for (writer, seq) in &self.former {
            writeln!(out, "former {writer} {seq}").expect("a String takes all");
        }
        for FrozenFiles { seq, flush_id, files } in &self.frozen {
            write!(out, "frozen {seq} {flush_id:032x}").expect("a String takes all");
            for file in files {
                write!(out, " {file}").expect("a String takes all");
            }
            out.push('\n');
        }
        let crc = crc32fast::hash(out.as_bytes());
        writeln!(out, "crc {crc:08x}").expect("a String takes all");
        out
    }

    /// Reads what [`Manifest::encode`] wrote; `None` for anything else.
    pub fn decode(text: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(text).ok()?;
        let crc_at = text.strip_suffix('\n')?.rfind('\n')? + 1;
        let crc = u32::from_str_radix(text[crc_at..].trim_end().strip_prefix("crc ")?, 16).ok()?;
        let text = &text[..crc_at];
        if crc32fast::hash(text.as_bytes()) != crc {
            return None;
        }
        let mut lines = text.lines();
        if lines.next()? != "skald-wal 1" {
            return None;
        }
        let mut manifest = Self::new(Writer::new(lines.next()?.strip_prefix("writer ")?)?);
        manifest.committed = lines.next()?.strip_prefix("committed ")?.parse().ok()?;
        manifest.active_from = lines.next()?.strip_prefix("active-from ")?.parse().ok()?;
        for line in lines {
            let mut words = line.split(' ');
            match words.next()? {
                "former" => manifest.former.push((Writer::new(words.next()?)?, words.next()?.parse().ok()?)),
                "frozen" => manifest.frozen.push(FrozenFiles {
                    seq: words.next()?.parse().ok()?,
                    flush_id: u128::from_str_radix(words.next()?, 16).ok()?,
                    files: words.map(|w| w.parse().ok()).collect::<Option<_>>()?,
                }),
                _ => return None,
            }
        }
        Some(manifest)
    }
}

#[cfg(test)]
pub(crate) fn sample() -> Manifest {
    let writer = |id| Writer::new(id).unwrap();
    Manifest {
        writer: writer("ing0-5f2c9a1be0d34417"),
        committed: 17,
        active_from: 42,
        former: vec![(writer("ing0-00aa11bb22cc33dd"), 311)],
        frozen: vec![
            FrozenFiles { seq: 18, flush_id: 0x7d1f_04b2_c6a8_9e35_0213_5577_99bb_ddff, files: vec![38, 39] },
            FrozenFiles { seq: 19, flush_id: 1, files: vec![41] },
        ],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trips() {
        for manifest in [sample(), Manifest::new(Writer::new("a").unwrap())] {
            assert_eq!(Manifest::decode(manifest.encode().as_bytes()), Some(manifest));
        }
    }

    #[test]
    fn says_which_files_are_needed() {
        let manifest = sample();
        let needed: Vec<u64> = (36..44).filter(|&f| manifest.needs(f)).collect();
        assert_eq!(needed, [38, 39, 41, 42, 43]);
        assert_eq!(manifest.next_seq(), 20);
    }

    #[test]
    fn every_cut_and_every_flipped_bit_is_noticed() {
        let text = sample().encode().into_bytes();
        for end in 0..text.len() {
            assert_eq!(Manifest::decode(&text[..end]), None, "cut at {end}");
        }
        for bit in 0..text.len() * 8 {
            let mut damaged = text.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            let got = Manifest::decode(&damaged);
            // The case of a hexadecimal digit of the checksum carries no information.
            assert!(got.is_none() || got == Some(sample()), "bit {bit}");
        }
    }
}

//! Lines out of files and stdin, in chunks.
//!
//! A chunk ends where the source has no whole line ready, so that the lines of a slow source are not
//! held back until there are more.

use std::{
    fs::{self, File},
    io::{self, BufRead, BufReader, Read},
    path::{Path, PathBuf},
};

use anyhow::{Context, anyhow, ensure};

/// Bytes that are read at once.
const READ_BYTES: usize = 256 * 1024;
/// A chunk ends when its lines take this much, so that memory between reader and sender is bounded.
const CHUNK_BYTES: usize = 64 * 1024;
/// Longer lines are no log lines; servers refuse them from 256 kB by default.
const LINE_BYTES_MAX: usize = 8 << 20;

/// Lines as they were read, their ends included.
pub(super) type Chunk = Vec<Vec<u8>>;

/// Where lines come from.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// `-`
    Stdin,
    /// A file, perhaps a pipe.
    File(PathBuf),
}

/// The sources that `files` name, and their bytes in all if these are known.
///
/// # Errors
/// When a file is missing or is a directory.
pub(super) fn sources(files: &[PathBuf]) -> anyhow::Result<(Vec<Source>, Option<u64>)> {
    let mut total = Some(0);
    let mut sources = Vec::new();
    for file in files {
        if file == Path::new("-") {
            total = None;
            sources.push(Source::Stdin);
            continue;
        }
        let metadata = fs::metadata(file).with_context(|| format!("cannot read {}", file.display()))?;
        ensure!(!metadata.is_dir(), "cannot read {}: it is a directory", file.display());
        total = total.filter(|_| metadata.is_file()).map(|sum: u64| sum.saturating_add(metadata.len()));
        sources.push(Source::File(file.clone()));
    }
    Ok((sources, total))
}

/// Hands over the lines of `sources`, one source after the other, until one fails or `emit` wants no more.
pub(super) fn read(sources: Vec<Source>, mut emit: impl FnMut(anyhow::Result<Chunk>) -> bool) {
    for source in sources {
        let done = match &source {
            Source::Stdin => chunks("stdin", io::stdin(), &mut emit),
            Source::File(path) => File::open(path)
                .with_context(|| format!("cannot read {}", path.display()))
                .and_then(|file| chunks(&path.display().to_string(), file, &mut emit)),
        };
        match done {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) => {
                // Whether it is taken makes no difference: this is the end either way.
                let _ = emit(Err(error));
                return;
            }
        }
    }
}

/// False when `emit` wants no more.
fn chunks(name: &str, input: impl Read, emit: &mut impl FnMut(anyhow::Result<Chunk>) -> bool) -> anyhow::Result<bool> {
    let mut input = BufReader::with_capacity(READ_BYTES, input);
    let mut chunk = Chunk::new();
    let mut bytes = 0;
    for number in 1u64.. {
        let mut line = Vec::new();
        let read = (&mut input).take(LINE_BYTES_MAX as u64 + 1).read_until(b'\n', &mut line);
        read.with_context(|| format!("cannot read {name}"))?;
        if line.is_empty() {
            break;
        }
        if line.len() > LINE_BYTES_MAX {
            return Err(anyhow!("line {number} of {name} is longer than {LINE_BYTES_MAX} bytes"));
        }
        bytes += line.len();
        chunk.push(line);
        if bytes >= CHUNK_BYTES || !input.buffer().contains(&b'\n') {
            bytes = 0;
            if !emit(Ok(std::mem::take(&mut chunk))) {
                return Ok(false);
            }
        }
    }
    Ok(chunk.is_empty() || emit(Ok(chunk)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Yields one part a read, as a pipe does.
    struct Parts(Vec<&'static [u8]>);

    impl Read for Parts {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            if self.0.is_empty() {
                return Ok(0);
            }
            let part = self.0.remove(0);
            out[..part.len()].copy_from_slice(part);
            Ok(part.len())
        }
    }

    #[test]
    fn chunks_end_where_the_source_pauses() {
        let cases: &[(&[&[u8]], &[&[&[u8]]])] = &[
            (&[], &[]),
            (&[b"a\nb\n", b"c\n"], &[&[b"a\n", b"b\n"], &[b"c\n"]]),
            (&[b"a\nb", b"b\nc"], &[&[b"a\n"], &[b"bb\n"], &[b"c"]]),
            (&[b"\n\n"], &[&[b"\n", b"\n"]]),
        ];
        for (parts, expect) in cases {
            let mut got = Vec::new();
            let mut emit = |chunk: anyhow::Result<Chunk>| {
                got.push(chunk.unwrap());
                true
            };
            assert!(chunks("x", Parts(parts.to_vec()), &mut emit).unwrap());
            assert_eq!(got, *expect);
        }
    }

    #[test]
    fn large_sources_come_in_parts_and_endless_lines_do_not_fill_memory() {
        let mut sizes = Vec::new();
        let mut emit = |chunk: anyhow::Result<Chunk>| {
            sizes.push(chunk.unwrap().iter().map(Vec::len).sum::<usize>());
            true
        };
        assert!(chunks("x", &*b"0123456789abcde\n".repeat(10_000), &mut emit).unwrap());
        assert_eq!(sizes, [CHUNK_BYTES, CHUNK_BYTES, 160_000 - 2 * CHUNK_BYTES]);
        let error = chunks("x", io::repeat(b'x'), &mut |_| true).unwrap_err();
        assert_eq!(error.to_string(), "line 1 of x is longer than 8388608 bytes");
    }

    #[test]
    fn sizes_are_known_for_files_only() {
        let dir = tempfile::tempdir().unwrap();
        let (a, missing) = (dir.path().join("a"), dir.path().join("b"));
        fs::write(&a, "12345").unwrap();
        assert_eq!(sources(&[a.clone(), a.clone()]).unwrap().1, Some(10));
        assert_eq!(sources(&[a.clone(), "-".into()]).unwrap(), (vec![Source::File(a), Source::Stdin], None));
        assert!(sources(&[missing]).is_err());
        assert!(sources(&[dir.path().to_owned()]).is_err());
    }
}

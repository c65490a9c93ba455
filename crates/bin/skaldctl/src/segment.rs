//! `segment inspect`: what a segment object on disk holds, and whether it is whole.
//!
//! Without `--verify` only the directory and the index regions are read, so that large objects are
//! answered at once.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom, Write},
    ops::Range,
};

use anyhow::{Context, anyhow, ensure};
use bytes::Bytes;
use skald_segment::{Directory, Located, SUFFIX_BYTES, SectionEntry, SectionIndex, describe, verify};

use crate::{cli::InspectArgs, error::of_output, session::Session, time::rfc3339_millis};

/// Runs `segment inspect`.
///
/// # Errors
/// When the file cannot be read, is no segment object or is damaged, or the output takes no more.
pub(crate) fn inspect(session: &Session, args: &InspectArgs) -> anyhow::Result<()> {
    let name = args.file.display();
    let mut object = Object::open(args).with_context(|| format!("cannot read {name}"))?;
    let directory = object.directory().with_context(|| format!("{name} cannot be understood"))?;
    let mut faults = Vec::new();
    let mut indexes = Vec::new();
    for entry in &directory.sections {
        match object.index(entry) {
            Ok(index) => indexes.push(index),
            Err(fault) => faults.push(fault.to_string()),
        }
    }
    let mut out = io::BufWriter::new(io::stdout());
    write!(out, "{}", describe(&directory, &indexes)).map_err(of_output)?;
    if args.streams {
        indexes.iter().try_for_each(|index| streams(&mut out, session, index)).map_err(of_output)?;
    }
    if args.verify {
        let found = verify(&object.read(0..object.len)?);
        writeln!(out, "verified: {} rows in {} pages can be read", found.rows, found.pages).map_err(of_output)?;
        // Indexes that are damaged were reported once already.
        faults = found.faults.iter().map(ToString::to_string).collect();
    }
    out.flush().map_err(of_output)?;
    ensure!(faults.is_empty(), "{name} is damaged: {}", faults.join("; "));
    Ok(())
}

fn streams(out: &mut impl Write, session: &Session, index: &SectionIndex) -> io::Result<()> {
    writeln!(out, "streams of section {}", index.key())?;
    for stream in index.streams() {
        let style = session.palette.stream(&stream.labels);
        let [from, to] = [stream.tmin, stream.tmax].map(|time| rfc3339_millis(time.as_nanos(), &session.zone));
        let (rows, raw) = (stream.rows, stream.raw_bytes);
        writeln!(out, "  {rows:>10} rows {raw:>12} B  {from} to {to}  {style}{}{style:#}", stream.labels)?;
    }
    Ok(())
}

struct Object {
    file: File,
    len: u64,
}

impl Object {
    fn open(args: &InspectArgs) -> io::Result<Self> {
        let file = File::open(&args.file)?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file"));
        }
        Ok(Self { file, len: metadata.len() })
    }

    /// `range` lies within the file: it is checked before memory is taken for it.
    fn read(&mut self, range: Range<u64>) -> anyhow::Result<Bytes> {
        let len = range.end.checked_sub(range.start).filter(|_| range.end <= self.len);
        let len = len.ok_or_else(|| anyhow!("bytes {range:?} lie outside the file of {} bytes", self.len))?;
        let mut bytes = vec![0; usize::try_from(len)?];
        self.file.seek(SeekFrom::Start(range.start))?;
        self.file.read_exact(&mut bytes)?;
        Ok(bytes.into())
    }

    fn directory(&mut self) -> anyhow::Result<Directory> {
        let mut suffix = self.len.saturating_sub(SUFFIX_BYTES)..self.len;
        loop {
            let bytes = self.read(suffix.clone())?;
            match Directory::locate(&bytes, self.len)? {
                Located::Directory(directory) => return Ok(directory),
                Located::NeedMore(range) if range.start < suffix.start => suffix = range.start..self.len,
                Located::NeedMore(range) => return Err(anyhow!("its directory at {range:?} cannot be reached")),
            }
        }
    }

    fn index(&mut self, entry: &SectionEntry) -> anyhow::Result<SectionIndex> {
        let bytes = self.read(entry.index.clone())?;
        Ok(SectionIndex::decode(entry, &bytes)?)
    }
}

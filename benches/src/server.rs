//! What a server process uses, read from `/proc`.

use std::{fs, path::Path};

use anyhow::{Context, Result};

/// Clock ticks per second in `/proc/<pid>/stat`; 100 on every Linux this runs on.
const TICKS_PER_SECOND: f64 = 100.0;

/// CPU seconds (user and system) of process `pid` so far.
pub(crate) fn cpu_seconds(pid: u32) -> Result<f64> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).with_context(|| format!("no process {pid}"))?;
    // The second field is the name in parentheses and may hold blanks.
    let rest = text.rsplit(')').next().unwrap_or_default();
    let field = |n: usize| rest.split_whitespace().nth(n).and_then(|v| v.parse::<f64>().ok()).unwrap_or(0.0);
    Ok((field(11) + field(12)) / TICKS_PER_SECOND)
}

/// Resident memory of process `pid` in MiB: now, and at its peak.
pub(crate) fn resident_mib(pid: u32) -> Result<(f64, f64)> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).with_context(|| format!("no process {pid}"))?;
    let field = |name: &str| {
        let line = text.lines().find_map(|l| l.strip_prefix(name)).unwrap_or("0");
        line.split_whitespace().next().and_then(|v| v.parse::<f64>().ok()).unwrap_or(0.0) / 1024.0
    };
    Ok((field("VmRSS:"), field("VmHWM:")))
}

/// Files and bytes below `folder`.
pub(crate) fn stored(folder: &Path) -> Result<(u64, u64)> {
    let (mut files, mut bytes) = (0, 0);
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let entry = entry?;
        // Files come and go while the server works.
        let Ok(meta) = entry.metadata() else { continue };
        if meta.is_dir() {
            let (f, b) = stored(&entry.path())?;
            files += f;
            bytes += b;
        } else {
            files += 1;
            bytes += meta.len();
        }
    }
    Ok((files, bytes))
}

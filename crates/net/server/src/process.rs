//! `process_*`: memory, processor time and open files of this process, read from `/proc` when asked.

use std::fs;

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::{counter::ConstCounter, gauge::ConstGauge},
};

/// The kernel counts processor time in this many ticks per second on every platform we run on.
const TICKS_PER_SECOND: f64 = 100.0;

/// Reads `/proc/self` at every scrape; what cannot be read is left out.
#[derive(Debug)]
pub(crate) struct ProcessCollector;

impl Collector for ProcessCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        if let Some(bytes) = resident_bytes() {
            let metric = ConstGauge::new(bytes);
            let name = "process_resident_memory_bytes";
            let descriptor = encoder.encode_descriptor(name, "Resident memory", None, metric.metric_type())?;
            metric.encode(descriptor)?;
        }
        if let Some(seconds) = cpu_seconds() {
            let metric = ConstCounter::new(seconds);
            let name = "process_cpu_seconds";
            let descriptor = encoder.encode_descriptor(name, "Processor time used", None, metric.metric_type())?;
            metric.encode(descriptor)?;
        }
        if let Some(files) = open_files() {
            let metric = ConstGauge::new(files);
            let name = "process_open_fds";
            let descriptor = encoder.encode_descriptor(name, "Open file descriptors", None, metric.metric_type())?;
            metric.encode(descriptor)?;
        }
        Ok(())
    }
}

fn resident_bytes() -> Option<i64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: i64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(kib * 1024)
}

fn cpu_seconds() -> Option<f64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // The name in parentheses may hold spaces; what follows it does not.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let user: f64 = fields.nth(11)?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some((user + system) / TICKS_PER_SECOND)
}

fn open_files() -> Option<i64> {
    i64::try_from(fs::read_dir("/proc/self/fd").ok()?.count()).ok()
}

//! The `stats` block: what a query cost, in Loki's shape. What has no counterpart here stays 0.

use std::time::Duration;

use skald_wire::{json, pb};

/// Sums over all tasks of a query.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Stats {
    pub(crate) tasks: pb::TaskStats,
    /// Tasks that were run.
    pub(crate) subqueries: u64,
    /// Parts the query was cut into along time.
    pub(crate) splits: u64,
    /// Entries or samples returned.
    pub(crate) entries: u64,
    /// From the arrival of the request to its last task.
    pub(crate) elapsed: Duration,
    /// Cached results asked for, found, and stored.
    pub(crate) cache_requested: u64,
    pub(crate) cache_found: u64,
    pub(crate) cache_stored: u64,
}

/// Caches that Loki has and we have not.
const UNUSED_CACHES: [&str; 7] =
    ["statsResult", "volumeResult", "seriesResult", "labelResult", "instantMetricResult", "logResult", "taskResult"];

/// One cache's counters: entries found, asked for and stored, and requests; then bytes received.
fn write_cache(out: &mut Vec<u8>, name: &str, [found, requested, stored, requests]: [u64; 4], bytes: u64) {
    json::plain(
        out,
        format_args!(
            "\"{name}\":{{\"entriesFound\":{found},\"entriesRequested\":{requested},\"entriesStored\":{stored},\
             \"bytesReceived\":{bytes},\"bytesSent\":0,\"requests\":{requests},\"downloadTime\":0,\
             \"queryLengthServed\":0}}",
        ),
    );
}

const DATAOBJ_ZERO: &str = "{\"prePredicateDecompressedRows\":0,\"prePredicateDecompressedBytes\":0,\
                            \"prePredicateDecompressedStructuredMetadataBytes\":0,\"postPredicateRows\":0,\
                            \"postPredicateDecompressedBytes\":0,\
                            \"postPredicateStructuredMetadataBytes\":0,\"postFilterRows\":0,\"pagesScanned\":0,\
                            \"pagesDownloaded\":0,\"pagesDownloadedBytes\":0,\"pageBatches\":0,\
                            \"totalRowsAvailable\":0,\"totalPageDownloadTime\":0,\"totalDownloadCalls\":0}";

impl Stats {
    /// Adds one task's counts.
    pub(crate) fn add(&mut self, task: &pb::TaskStats) {
        let t = &mut self.tasks;
        t.rows += task.rows;
        t.bytes += task.bytes;
        t.rows_after_filter += task.rows_after_filter;
        t.metadata_bytes += task.metadata_bytes;
        t.sections += task.sections;
        t.pages_read += task.pages_read;
        t.pages_skipped += task.pages_skipped;
        t.duplicates += task.duplicates;
        // The same ingesters are asked by every task.
        t.ingesters = t.ingesters.max(task.ingesters);
        t.ingester_rows += task.ingester_rows;
        t.fetched_memory_bytes += task.fetched_memory_bytes;
        t.fetched_redis_bytes += task.fetched_redis_bytes;
        t.fetched_bucket_bytes += task.fetched_bucket_bytes;
        t.bucket_requests += task.bucket_requests;
        t.queue_ns += task.queue_ns;
        t.exec_ns += task.exec_ns;
        self.subqueries += 1;
    }

    /// Adds another part of the same query.
    pub(crate) fn merge(&mut self, other: &Self) {
        let subqueries = self.subqueries + other.subqueries;
        self.add(&other.tasks);
        self.subqueries = subqueries;
        self.cache_requested += other.cache_requested;
        self.cache_found += other.cache_found;
        self.cache_stored += other.cache_stored;
    }

    /// Appends the block.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let t = &self.tasks;
        let exec_seconds = self.elapsed.as_secs_f64();
        let per_second = |n: u64| if exec_seconds > 0.0 { (n as f64 / exec_seconds) as u64 } else { 0 };
        json::plain(
            out,
            format_args!(
                "{{\"summary\":{{\"bytesProcessedPerSecond\":{},\"linesProcessedPerSecond\":{},\
                 \"totalBytesProcessed\":{},\"totalLinesProcessed\":{},\"execTime\":{},\"queueTime\":{},\
                 \"subqueries\":{},\"totalEntriesReturned\":{},\"splits\":{},\"shards\":0,\
                 \"totalPostFilterLines\":{},\"totalStructuredMetadataBytesProcessed\":{}}},",
                per_second(t.bytes),
                per_second(t.rows),
                t.bytes,
                t.rows,
                exec_seconds,
                Duration::from_nanos(t.queue_ns).as_secs_f64(),
                self.subqueries,
                self.entries,
                self.splits,
                t.rows_after_filter,
                t.metadata_bytes,
            ),
        );
        out.extend_from_slice(b"\"querier\":{\"store\":");
        self.write_store(out, true);
        json::plain(out, format_args!(",\"querierExecTime\":{}}},", t.exec_ns));
        json::plain(
            out,
            format_args!(
                "\"ingester\":{{\"totalReached\":{},\"totalChunksMatched\":0,\"totalBatches\":0,\
                 \"totalLinesSent\":{},\"store\":",
                t.ingesters, t.ingester_rows,
            ),
        );
        self.write_store(out, false);
        out.extend_from_slice(b"},\"cache\":{");
        let cached_bytes = t.fetched_memory_bytes + t.fetched_redis_bytes;
        write_cache(out, "chunk", [0, 0, 0, 0], cached_bytes);
        out.push(b',');
        write_cache(out, "index", [0, 0, 0, 0], 0);
        out.push(b',');
        let results = [self.cache_found, self.cache_requested, self.cache_stored, self.cache_requested];
        write_cache(out, "result", results, 0);
        for name in UNUSED_CACHES {
            out.push(b',');
            write_cache(out, name, [0, 0, 0, 0], 0);
        }
        json::plain(
            out,
            format_args!(
                "}},\"index\":{{\"totalChunks\":{},\"postFilterChunks\":{},\"shardsDuration\":0,\
                 \"usedBloomFilters\":false,\"totalStreams\":0,\"chunkRefsLookupTime\":0,\"bloomFilterTime\":0}}}}",
                t.pages_read + t.pages_skipped,
                t.pages_read,
            ),
        );
    }

    /// Rows of segments go under `querier`, rows from memory under `ingester`.
    fn write_store(&self, out: &mut Vec<u8>, segments: bool) {
        let t = if segments { self.tasks } else { pb::TaskStats::default() };
        let head_lines = if segments { 0 } else { self.tasks.ingester_rows };
        let stored_lines = t.rows.saturating_sub(t.ingester_rows);
        json::plain(
            out,
            format_args!(
                "{{\"totalChunksRef\":{},\"totalChunksDownloaded\":{},\"chunksDownloadTime\":0,\
                 \"queryReferencedStructuredMetadata\":false,\"queryUsedV2Engine\":false,\
                 \"chunk\":{{\"headChunkBytes\":0,\"headChunkLines\":{head_lines},\"decompressedBytes\":{},\
                 \"decompressedLines\":{stored_lines},\"compressedBytes\":{},\"totalDuplicates\":{},\
                 \"postFilterLines\":{},\"headChunkStructuredMetadataBytes\":0,\
                 \"decompressedStructuredMetadataBytes\":{}}},\"chunkRefsFetchTime\":0,\
                 \"congestionControlLatency\":0,\"pipelineWrapperFilteredLines\":0,\"dataobj\":{DATAOBJ_ZERO}}}",
                t.pages_read + t.pages_skipped,
                t.pages_read,
                t.bytes,
                t.fetched_memory_bytes + t.fetched_redis_bytes + t.fetched_bucket_bytes,
                t.duplicates,
                t.rows_after_filter,
                t.metadata_bytes,
            ),
        );
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn every_field_is_present() {
        let mut stats = Stats { elapsed: Duration::from_millis(500), cache_found: 2, ..Stats::default() };
        stats.add(&pb::TaskStats { rows: 10, bytes: 100, ingesters: 3, ingester_rows: 4, ..Default::default() });
        stats.add(&pb::TaskStats { rows: 5, ingesters: 3, ..Default::default() });
        let mut out = Vec::new();
        stats.write(&mut out);
        let value: Value = serde_json::from_slice(&out).unwrap();
        for (pointer, expect) in [
            ("/summary/bytesProcessedPerSecond", "200"),
            ("/summary/totalLinesProcessed", "15"),
            ("/summary/execTime", "0.5"),
            ("/summary/queueTime", "0"),
            ("/summary/subqueries", "2"),
            ("/summary/shards", "0"),
            ("/querier/querierExecTime", "0"),
            ("/querier/store/chunk/decompressedLines", "11"),
            ("/querier/store/dataobj/totalDownloadCalls", "0"),
            ("/ingester/totalReached", "3"),
            ("/ingester/totalLinesSent", "4"),
            ("/ingester/store/chunk/headChunkLines", "4"),
            ("/cache/result/entriesFound", "2"),
            ("/cache/taskResult/queryLengthServed", "0"),
            ("/index/usedBloomFilters", "false"),
        ] {
            assert_eq!(value.pointer(pointer).map(Value::to_string).as_deref(), Some(expect), "{pointer}");
        }
        assert_eq!(value["cache"].as_object().map(serde_json::Map::len), Some(10));
    }
}

//! Reading a log query in pages, for results beyond what the server returns at once.
//!
//! The API has no cursor but time, and many lines may share an instant. So each page begins at the
//! instant at which the last one ended, and the lines of that instant that were already seen are
//! counted and left out. A page that could hold no others is made larger, so that each brings new ones.

use std::{collections::HashMap, num::NonZeroU64};

use skald_model::Labels;

use crate::{
    response::{Entry, Stream},
    time::Range,
};

/// A line with its stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// Nanoseconds since the epoch.
    pub(crate) timestamp: i64,
    /// Of its stream, as the server answered.
    pub(crate) labels: Labels,
    /// Its text.
    pub(crate) line: String,
}

/// All lines of `streams`, stream by stream.
pub(crate) fn lines(streams: Vec<Stream>) -> Vec<Line> {
    let of = |stream: Stream| {
        let labels = stream.labels;
        let line = move |Entry { timestamp, line }| Line { timestamp, labels: labels.clone(), line };
        stream.values.into_iter().map(line)
    };
    streams.into_iter().flat_map(of).collect()
}

/// The latest (or with backward queries earliest) instant reached, and the lines seen there.
#[derive(Clone, Debug, Default)]
pub(crate) struct Edge {
    /// The instant.
    pub(crate) timestamp: Option<i64>,
    seen: HashMap<(Labels, String), u64>,
}

impl Edge {
    /// Remembers `line`, when it lies at `timestamp`; an edge elsewhere moves there.
    pub(crate) fn add(&mut self, timestamp: i64, line: &Line) {
        if self.timestamp != Some(timestamp) {
            self.timestamp = Some(timestamp);
            self.seen.clear();
        }
        if line.timestamp == timestamp {
            *self.seen.entry((line.labels.clone(), line.line.clone())).or_default() += 1;
        }
    }

    /// How many lines were seen there.
    pub(crate) fn len(&self) -> u64 {
        self.seen.values().sum()
    }

    /// True, once for each time it was seen, for a line that was.
    pub(crate) fn take(&mut self, line: &Line) -> bool {
        if Some(line.timestamp) != self.timestamp || self.seen.is_empty() {
            return false;
        }
        let Some(count) = self.seen.get_mut(&(line.labels.clone(), line.line.clone())).filter(|count| **count > 0)
        else {
            return false;
        };
        *count -= 1;
        true
    }
}

/// What to ask for next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Page {
    /// Over which range.
    pub(crate) range: Range,
    /// How many lines at most.
    pub(crate) limit: u64,
}

/// The state of reading in pages.
#[derive(Debug)]
pub(crate) struct Pager {
    forward: bool,
    range: Range,
    /// How many lines are still wanted; `None` for all.
    left: Option<u64>,
    batch: u64,
    edge: Edge,
    done: bool,
}

impl Pager {
    /// At the beginning. A `limit` of 0 is none.
    pub(crate) fn new(range: Range, forward: bool, limit: u64, batch: NonZeroU64) -> Self {
        let left = (limit > 0).then_some(limit);
        Self { forward, range, left, batch: batch.get(), edge: Edge::default(), done: false }
    }

    /// The next page; `None` when everything wanted was read.
    pub(crate) fn page(&self) -> Option<Page> {
        if self.done || self.left == Some(0) {
            return None;
        }
        let (crowd, left) = (self.edge.len(), self.left.unwrap_or(u64::MAX));
        // A batch may be as large as the server allows, so pages grow beyond it only when they must.
        let limit = match crowd < self.batch {
            true => self.batch.min(left.saturating_add(crowd)),
            false => crowd.saturating_add(self.batch.min(left)),
        };
        Some(Page { range: self.range, limit })
    }

    /// How many lines were seen at the instant that the next page begins with, when they fill a batch.
    pub(crate) fn crowd(&self) -> Option<u64> {
        Some(self.edge.len()).filter(|&crowd| crowd >= self.batch)
    }

    /// Takes the answer to [`Pager::page`]; returns its new lines in the query's direction.
    pub(crate) fn accept(&mut self, page: Page, streams: Vec<Stream>) -> Vec<Line> {
        let mut received = lines(streams);
        // Stable: lines of one instant stay in the server's order.
        match self.forward {
            true => received.sort_by_key(|line| line.timestamp),
            false => received.sort_by_key(|line| std::cmp::Reverse(line.timestamp)),
        }
        let full = received.len() as u64 >= page.limit;
        let mut known = self.edge.clone();
        let mut fresh: Vec<Line> = received.into_iter().filter(|line| !known.take(line)).collect();
        if let Some(left) = &mut self.left {
            fresh.truncate(usize::try_from(*left).unwrap_or(usize::MAX));
            *left -= fresh.len() as u64;
        }
        let Some(last) = fresh.last().map(|line| line.timestamp) else {
            self.done = true;
            return fresh;
        };
        fresh.iter().for_each(|line| self.edge.add(last, line));
        match self.forward {
            true => self.range.start = last,
            false => self.range.end = last.saturating_add(1),
        }
        self.done = !full;
        fresh
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Answers as a server does: global order in the direction, cut to the limit, then by stream.
    fn serve(stored: &[(i64, &str, &str)], forward: bool, page: Page) -> Vec<Stream> {
        let mut hits: Vec<_> =
            stored.iter().filter(|(t, ..)| (page.range.start..page.range.end).contains(t)).copied().collect();
        hits.sort_by_key(|hit| hit.0);
        if !forward {
            hits.reverse();
        }
        hits.truncate(page.limit as usize);
        let mut streams: Vec<Stream> = Vec::new();
        for (timestamp, app, line) in hits {
            let labels = Labels::from_pairs([("app", app)]);
            let at = streams.iter().position(|s| s.labels == labels).unwrap_or_else(|| {
                streams.push(Stream { labels, values: Vec::new() });
                streams.len() - 1
            });
            streams[at].values.push(Entry { timestamp, line: line.to_owned() });
        }
        streams
    }

    fn read(stored: &[(i64, &str, &str)], forward: bool, limit: u64, batch: u64) -> (Vec<(i64, String)>, usize) {
        let mut pager = Pager::new(Range { start: 0, end: 100 }, forward, limit, NonZeroU64::new(batch).unwrap());
        let (mut all, mut pages) = (Vec::new(), 0);
        while let Some(page) = pager.page() {
            pages += 1;
            assert!(pages < 100, "no progress");
            let fresh = pager.accept(page, serve(stored, forward, page));
            all.extend(fresh.into_iter().map(|line| (line.timestamp, line.line)));
        }
        (all, pages)
    }

    #[test]
    fn every_line_once_in_order() {
        let crowd: Vec<_> = (0..7).map(|i| (5, "a", ["l0", "l1", "l2", "l3", "l4", "l5", "l6"][i])).collect();
        let same = vec![(5, "a", "x"), (5, "a", "x"), (5, "b", "x"), (5, "a", "x")];
        let mixed = vec![(1, "a", "p"), (2, "b", "q"), (2, "a", "r"), (3, "a", "s"), (9, "b", "t"), (99, "a", "u")];
        for stored in [crowd, same, mixed, vec![]] {
            for forward in [true, false] {
                let (whole, _) = read(&stored, forward, 0, 1000);
                assert_eq!(whole.len(), stored.len());
                for batch in 1..9 {
                    let (paged, _) = read(&stored, forward, 0, batch);
                    let (mut a, mut b) = (whole.clone(), paged.clone());
                    let times = |lines: &[(i64, String)]| lines.iter().map(|l| l.0).collect::<Vec<_>>();
                    assert_eq!(times(&a), times(&b), "{stored:?} forward {forward} batch {batch}");
                    a.sort();
                    b.sort();
                    assert_eq!(a, b, "{stored:?} forward {forward} batch {batch}");
                }
            }
        }
    }

    #[test]
    fn limits_and_number_of_pages() {
        let stored: Vec<_> = (0..10).map(|t| (t, "a", "x")).collect();
        // limit, batch, lines, pages
        for (limit, batch, lines, pages) in
            [(3, 10, 3, 1), (3, 2, 3, 2), (10, 5, 10, 3), (0, 5, 10, 3), (0, 100, 10, 1), (20, 100, 10, 1)]
        {
            let (got, asked) = read(&stored, false, limit, batch);
            assert_eq!((got.len(), asked), (lines, pages), "limit {limit} batch {batch}");
            assert_eq!(got[0].0, 9);
        }
    }
}

//! The column of log lines: one buffer and where each line ends.

use bytes::Bytes;

/// Lines (any bytes, normally UTF-8) side by side in one buffer, without separators.
#[derive(Clone, Debug, Default)]
pub struct LineColumn {
    bytes: Bytes,
    /// Where line `i` ends; it begins where the one before it ends, the first at 0.
    ends: Vec<u32>,
}

impl LineColumn {
    /// From a buffer and the ends of its lines. `None` unless the ends ascend and the last one is the buffer's length.
    pub fn new(bytes: Bytes, ends: Vec<u32>) -> Option<Self> {
        let ascending = ends.windows(2).all(|w| w[0] <= w[1]);
        let whole = ends.last().copied().unwrap_or(0) as usize == bytes.len();
        (ascending && whole).then_some(Self { bytes, ends })
    }

    /// `count` empty lines: what a reader hands on when nobody needs the lines.
    pub fn blank(count: usize) -> Self {
        Self { bytes: Bytes::new(), ends: vec![0; count] }
    }

    /// How many lines.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// True when there is no line.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Line `i`; panics when there is none.
    #[inline]
    pub fn get(&self, i: usize) -> &[u8] {
        &self.bytes[self.start(i)..self.ends[i] as usize]
    }

    /// Where line `i` begins in the buffer.
    #[inline]
    pub fn start(&self, i: usize) -> usize {
        if i == 0 { 0 } else { self.ends[i - 1] as usize }
    }

    /// The whole buffer, for searches that run over many lines at once.
    pub fn buffer(&self) -> &Bytes {
        &self.bytes
    }

    /// Where each line ends in the buffer.
    pub fn ends(&self) -> &[u32] {
        &self.ends
    }

    /// The lines in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        (0..self.len()).map(|i| self.get(i))
    }

    /// The lines `range`, sharing this buffer.
    pub fn slice(&self, range: std::ops::Range<usize>) -> Self {
        if range.is_empty() {
            return Self::default();
        }
        let start = self.start(range.start);
        let end = self.ends[range.end - 1] as usize;
        let ends = self.ends[range].iter().map(|&e| e - start as u32).collect();
        Self { bytes: self.bytes.slice(start..end), ends }
    }
}

impl<L: AsRef<[u8]>> FromIterator<L> for LineColumn {
    fn from_iter<I: IntoIterator<Item = L>>(iter: I) -> Self {
        let mut bytes = Vec::new();
        let mut ends = Vec::new();
        for line in iter {
            bytes.extend_from_slice(line.as_ref());
            ends.push(bytes.len() as u32);
        }
        Self { bytes: bytes.into(), ends }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_share_and_agree() {
        let column: LineColumn = ["a", "", "ccc", "dd"].into_iter().collect();
        let part = column.slice(1..3);
        assert_eq!(part.iter().collect::<Vec<_>>(), [&b""[..], b"ccc"]);
        assert!(column.slice(2..2).is_empty());
    }

    #[test]
    fn refuses_ends_that_lie() {
        let bytes = Bytes::from_static(b"abc");
        for (ends, ok) in
            [(vec![1, 3], true), (vec![2, 1], false), (vec![1, 2], false), (vec![4], false), (vec![], false)]
        {
            assert_eq!(LineColumn::new(bytes.clone(), ends.clone()).is_some(), ok, "{ends:?}");
        }
    }
}

//! Label names as numbers.

use std::sync::Arc;

use hashbrown::HashMap;

/// A label name of one pipeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct NameId(pub(crate) u32);

/// `__error__`
pub(crate) const ERROR: NameId = NameId(0);
/// `__error_details__`
pub(crate) const ERROR_DETAILS: NameId = NameId(1);

/// Names learnt from data beyond this are forgotten between batches: keys of lines may be random.
const LEARNT_NAMES_MAX: usize = 50_000;

/// The names a pipeline knows: those of its stages first, then those seen in data.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    ids: HashMap<Arc<str>, NameId, rapidhash::fast::RandomState>,
    texts: Vec<Arc<str>>,
    /// Keys of parsed data as they were, and the sanitised name they became; `None` for keys without a name.
    keys: HashMap<Box<[u8]>, Option<NameId>, rapidhash::fast::RandomState>,
    /// `x_extracted` of each name, once asked for.
    extracted: Vec<Option<NameId>>,
    /// How many names the stages use; these stay.
    fixed: usize,
}

impl Names {
    pub(crate) fn new() -> Self {
        let mut names = Self {
            ids: HashMap::default(),
            texts: Vec::new(),
            keys: HashMap::default(),
            extracted: Vec::new(),
            fixed: usize::MAX,
        };
        names.id("__error__");
        names.id("__error_details__");
        names
    }

    /// The number of `name`.
    pub(crate) fn id(&mut self, name: &str) -> NameId {
        if let Some(id) = self.ids.get(name) {
            return *id;
        }
        let id = NameId(self.texts.len() as u32);
        let text: Arc<str> = name.into();
        self.texts.push(text.clone());
        self.extracted.push(None);
        self.ids.insert(text, id);
        id
    }

    /// The number of `name` if it is known.
    pub(crate) fn find(&self, name: &str) -> Option<NameId> {
        self.ids.get(name).copied()
    }

    pub(crate) fn text(&self, id: NameId) -> &Arc<str> {
        &self.texts[id.0 as usize]
    }

    /// The label a key of parsed data becomes; `None` when nothing of it is left.
    pub(crate) fn key(&mut self, key: &[u8]) -> Option<NameId> {
        if let Some(id) = self.keys.get(key) {
            return *id;
        }
        let name = sanitize(&String::from_utf8_lossy(key));
        let id = (!name.is_empty()).then(|| self.id(&name));
        self.keys.insert(key.into(), id);
        id
    }

    /// The number of `<name>_extracted`.
    pub(crate) fn extracted(&mut self, id: NameId) -> NameId {
        if let Some(extracted) = self.extracted[id.0 as usize] {
            return extracted;
        }
        let name = format!("{}_extracted", self.text(id));
        let extracted = self.id(&name);
        self.extracted[id.0 as usize] = Some(extracted);
        extracted
    }

    /// Everything known so far stays for good: call it when all stages are compiled.
    pub(crate) fn fix(&mut self) {
        self.fixed = self.texts.len();
    }

    /// Between batches, when nobody holds numbers of learnt names: forgets them if they are too many. True when it did.
    pub(crate) fn trim(&mut self) -> bool {
        let many = self.texts.len().max(self.keys.len()) > self.fixed.saturating_add(LEARNT_NAMES_MAX);
        if many {
            self.texts.truncate(self.fixed);
            self.extracted.truncate(self.fixed);
            self.extracted.fill(None);
            self.keys.clear();
            let fixed = self.fixed as u32;
            self.ids.retain(|_, id| id.0 < fixed);
        }
        many
    }
}

/// A label name from any key: blanks around it go, a leading digit gets `_` before it, every other
/// character outside `[A-Za-z0-9_]` becomes `_`.
pub(crate) fn sanitize(key: &str) -> String {
    let key = key.trim();
    let mut out = String::with_capacity(key.len() + 1);
    if key.starts_with(|c: char| c.is_ascii_digit()) {
        out.push('_');
    }
    out.extend(key.chars().map(|c| if c == '_' || c.is_ascii_alphanumeric() { c } else { '_' }));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_become_names() {
        let cases = [("1st", "_1st"), (" a.b ", "a_b"), ("é", "_"), ("ok_9", "ok_9"), ("", ""), ("  ", "")];
        for (key, name) in cases {
            assert_eq!(sanitize(key), name, "{key:?}");
        }
    }

    #[test]
    fn trimming_keeps_the_names_of_stages() {
        let mut names = Names::new();
        let kept = names.id("kept");
        names.fix();
        for i in 0..=LEARNT_NAMES_MAX {
            names.key(format!("k{i}").as_bytes());
        }
        assert!(names.trim());
        assert_eq!((names.find("kept"), names.find("k7")), (Some(kept), None));
        assert_eq!(names.key(b"k7").map(|id| names.text(id).to_string()).as_deref(), Some("k7"));
    }
}

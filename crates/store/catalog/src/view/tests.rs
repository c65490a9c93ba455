use super::*;
use crate::samples::{content, directory, entry, section, show, tenant, vector, writer};

fn flushed(id: &str, seq: u64, sections: Vec<SectionEntry>) -> (Writer, u64, LogObject) {
    (writer(id), seq, LogObject::Flushed(directory(id, seq, sections)))
}

fn objects(view: &View, owner: &str, from: i64, to: i64) -> Vec<String> {
    let owner = tenant(owner);
    let sections = view.sections(&owner, Timestamp(from)..Timestamp(to));
    let mark = |s: &ViewSection<'_>| format!("{}{}", s.object, if s.unfolded { " unfolded" } else { "" });
    sections.iter().map(mark).collect()
}

#[test]
fn covers_the_runs_without_gaps() {
    let mut view = View::new(content(1, "a2 b5", Vec::new()));
    // what arrives | covers | gaps of the need "a5 b6 c2"
    let steps: [(&str, u64, bool, &str, &str); 7] = [
        ("a", 2, false, "a2 b5", "a3-5 b6-6 c1-2"),
        ("a", 4, false, "a2 b5", "a3-5 b6-6 c1-2"),
        ("a", 3, false, "a4 b5", "a5-5 b6-6 c1-2"),
        ("c", 1, false, "a4 b5 c1", "a5-5 b6-6 c2-2"),
        ("c", 2, true, "a4 b5 c2", "a5-5 b6-6"),
        ("b", 6, false, "a4 b6 c2", "a5-5"),
        ("a", 5, false, "a5 b6 c2", ""),
    ];
    for (id, seq, seal, covers, gaps) in steps {
        let object = if seal { LogObject::Seal } else { LogObject::Flushed(directory(id, seq, Vec::new())) };
        view.insert(&writer(id), seq, object);
        assert_eq!(show(&view.covers()), covers);
        let found = view.gaps(&vector("a5 b6 c2"));
        let text: Vec<_> = found.iter().map(|(w, span)| format!("{w}{}-{}", span.start(), span.end())).collect();
        assert_eq!(text.join(" "), gaps);
        assert_eq!(view.covers().covers(&vector("a5 b6 c2")), gaps.is_empty());
    }
    assert!(view.ended(&writer("c")) && !view.ended(&writer("a")));
    assert_eq!(view.writers(), [writer("a"), writer("b")]);
    assert_eq!(view.tail().filter(|(_, _, object)| object.is_none()).count(), 1);
}

#[test]
fn never_goes_backwards() {
    let mut view = View::new(content(4, "a2", Vec::new()));
    for (w, seq, object) in [flushed("a", 3, Vec::new()), flushed("a", 4, Vec::new())] {
        view.insert(&w, seq, object);
    }
    assert!(!view.adopt(content(4, "a9", Vec::new())));
    assert!(!view.adopt(content(3, "a9", Vec::new())));
    assert!(view.adopt(content(5, "a3", Vec::new())));
    assert_eq!(show(&view.covers()), "a4");
    assert_eq!(view.tail_size().0, 1);
    let (w, seq, late) = flushed("a", 3, Vec::new());
    view.insert(&w, seq, late);
    assert_eq!(view.tail_size().0, 1, "a late push of a consumed object changes nothing");
}

#[test]
fn finds_sections_by_tenant_and_time() {
    let mut view = View::new(content(
        1,
        "a1",
        vec![
            entry("seg/1", section("t", 0, 100, 0, "a1")),
            entry("seg/1", section("u", 0, 100, 200, "a1")),
            entry("seg/1", section("t", 2000, 2100, 400, "a1")),
        ],
    ));
    let (w, seq, object) = flushed("a", 2, vec![section("t", 50, 60, 0, "a2"), section("u", 500, 600, 200, "a2")]);
    view.insert(&w, seq, object);
    let log = "log/a/00000000000000000002 unfolded";
    let cases: [(&str, i64, i64, &[&str]); 7] = [
        ("t", 0, 1, &["seg/1"]),
        ("t", 0, 10_000, &["seg/1", "seg/1", log]),
        ("t", 60, 61, &["seg/1", log]),
        ("t", 61, 100, &["seg/1"]),
        ("t", 101, 2000, &[]),
        ("u", 500, 501, &[log]),
        ("v", 0, 10_000, &[]),
    ];
    for (owner, from, to, expect) in cases {
        assert_eq!(objects(&view, owner, from, to), expect, "{owner} {from}..{to}");
    }
}

#[test]
fn the_fingerprint_of_a_range_changes_with_its_rows_only() {
    let mut view = View::new(content(1, "a1", vec![entry("seg/1", section("t", 0, 100, 0, "a1"))]));
    let at = |view: &View| show(&view.fingerprint(&tenant("t"), Timestamp(0)..Timestamp(200)));
    assert_eq!(at(&view), "a1");
    let (w, seq, elsewhere) = flushed("a", 2, vec![section("t", 5000, 5001, 0, "a2"), section("u", 0, 9, 200, "a2")]);
    view.insert(&w, seq, elsewhere);
    assert_eq!(at(&view), "a1", "other times and tenants do not count");
    let (w, seq, late) = flushed("b", 1, vec![section("t", 150, 160, 0, "b1")]);
    view.insert(&w, seq, late);
    assert_eq!(at(&view), "a1 b1");
    let folded = vec![
        entry("seg/1", section("t", 0, 100, 0, "a1")),
        entry("seg/2", section("t", 150, 160, 0, "b1")),
        entry("seg/2", section("t", 5000, 5001, 200, "a2")),
    ];
    assert!(view.adopt(content(2, "a2 b1", folded)));
    assert_eq!(at(&view), "a1 b1", "a fold that adds no rows changes nothing here");
}

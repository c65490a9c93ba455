//! What is printed, to the byte.

use super::*;
use crate::response::{Sample, Series};

const NOW: i64 = 1_700_000_000_000_000_000;

fn labels(text: &str) -> Labels {
    Labels::from_pairs(text.split(',').filter_map(|pair| pair.split_once('=')))
}

fn line(after_ms: i64, of: &str, text: &str) -> Line {
    Line { timestamp: NOW + after_ms * 1_000_000, labels: labels(of), line: text.into() }
}

fn two() -> Vec<Line> {
    vec![line(0, "app=shop,pod=a", "first"), line(7, "app=shop,level=error,pod=b", "second \"q\"")]
}

/// What pages print, and the common labels of each.
fn print(mode: Mode, view: LabelView, colours: bool, pages: &[Vec<Line>]) -> (String, Vec<String>) {
    let mut printer = Printer::new(mode, Palette::new(colours), TimeZone::UTC, view, Vec::new());
    let said =
        pages.iter().map(|page| printer.page(page).unwrap().map(|l| l.to_string()).unwrap_or_default()).collect();
    (String::from_utf8(printer.out).unwrap(), said)
}

fn metric(mode: Mode, result: &QueryResult) -> String {
    let mut printer = Printer::new(mode, Palette::new(false), TimeZone::UTC, LabelView::default(), Vec::new());
    printer.metric(result).unwrap();
    String::from_utf8(printer.out).unwrap()
}

#[test]
fn lines_in_each_mode() {
    let view = LabelView::default;
    let cases = [
        (
            Mode::Default,
            view(),
            "2023-11-14T22:13:20.000Z {pod=\"a\"}                first\n\
             2023-11-14T22:13:20.007Z {level=\"error\", pod=\"b\"} second \"q\"\n",
            r#"{app="shop"}"#,
        ),
        (
            Mode::Default,
            LabelView { hidden: true, ..view() },
            "2023-11-14T22:13:20.000Z first\n2023-11-14T22:13:20.007Z second \"q\"\n",
            "",
        ),
        (
            Mode::Default,
            LabelView { include: vec!["level".into()], ..view() },
            "2023-11-14T22:13:20.000Z {}              first\n\
             2023-11-14T22:13:20.007Z {level=\"error\"} second \"q\"\n",
            "",
        ),
        (
            Mode::Default,
            LabelView { exclude: vec!["pod".into(), "level".into()], length_min: 4, ..view() },
            "2023-11-14T22:13:20.000Z {}   first\n2023-11-14T22:13:20.007Z {}   second \"q\"\n",
            r#"{app="shop"}"#,
        ),
        (Mode::Raw, view(), "first\nsecond \"q\"\n", ""),
        (
            Mode::Jsonl,
            view(),
            "{\"labels\":{\"app\":\"shop\",\"pod\":\"a\"},\"line\":\"first\",\"timestamp\":\"2023-11-14T22:13:20Z\"}\n\
             {\"labels\":{\"app\":\"shop\",\"level\":\"error\",\"pod\":\"b\"},\"line\":\"second \\\"q\\\"\",\
             \"timestamp\":\"2023-11-14T22:13:20.007Z\"}\n",
            "",
        ),
        (
            Mode::Jsonl,
            LabelView { hidden: true, ..view() },
            "{\"line\":\"first\",\"timestamp\":\"2023-11-14T22:13:20Z\"}\n\
             {\"line\":\"second \\\"q\\\"\",\"timestamp\":\"2023-11-14T22:13:20.007Z\"}\n",
            "",
        ),
    ];
    for (mode, view, text, common) in cases {
        assert_eq!(
            print(mode, view.clone(), false, &[two()]),
            (text.into(), vec![common.to_owned()]),
            "{mode:?} {view:?}"
        );
    }
}

#[test]
fn common_labels_are_said_when_they_change() {
    let pages = [
        vec![line(0, "app=a", "1")],
        vec![line(1, "app=a", "2")],
        vec![line(2, "app=a", "3"), line(3, "app=b", "4")],
        vec![],
    ];
    let (text, said) = print(Mode::Default, LabelView::default(), false, &pages);
    assert_eq!(
        text,
        "2023-11-14T22:13:20.000Z {} 1\n2023-11-14T22:13:20.001Z {} 2\n\
         2023-11-14T22:13:20.002Z {app=\"a\"} 3\n2023-11-14T22:13:20.003Z {app=\"b\"} 4\n"
    );
    assert_eq!(said, [r#"{app="a"}"#, "", "", ""]);
}

#[test]
fn a_trailing_newline_is_not_doubled() {
    for mode in [Mode::Default, Mode::Raw] {
        let (text, _) = print(mode, LabelView::default(), false, &[vec![line(0, "a=b", "x\n")]]);
        assert_eq!(text.matches('\n').count(), 1, "{mode:?}");
    }
}

#[test]
fn streams_keep_their_colours() {
    // A colour that changed between versions would unlearn eyes, so the bytes stand here.
    let (text, _) = print(Mode::Default, LabelView::default(), true, &[two()]);
    assert_eq!(
        text,
        "\u{1b}[2m2023-11-14T22:13:20.000Z\u{1b}[0m \u{1b}[35m{pod=\"a\"}               \u{1b}[0m first\n\
         \u{1b}[2m2023-11-14T22:13:20.007Z\u{1b}[0m \u{1b}[33m{level=\"error\", pod=\"b\"}\u{1b}[0m second \"q\"\n"
    );
}

#[test]
fn metrics_in_each_mode() {
    let point = |seconds: f64, value: &str| Point(seconds, value.into());
    let matrix = QueryResult::Matrix(vec![
        Series { metric: labels("app=a"), values: vec![point(1_700_000_000.0, "1"), point(1_700_000_000.5, "12.5")] },
        Series { metric: labels(""), values: vec![point(1_700_000_000.0, "NaN")] },
    ]);
    let vector = QueryResult::Vector(vec![
        Sample { metric: labels("app=a"), value: point(1_700_000_000.0, "1") },
        Sample { metric: labels("app=b"), value: point(1_700_000_000.0, "+Inf") },
    ]);
    let scalar = QueryResult::Scalar(point(1_700_000_000.25, "2"));
    let cases = [
        (
            Mode::Default,
            &matrix,
            "{app=\"a\"}\n  2023-11-14T22:13:20.000Z     1\n  2023-11-14T22:13:20.500Z  12.5\n\n\
             {}\n  2023-11-14T22:13:20.000Z  NaN\n",
        ),
        (Mode::Default, &vector, "   1  {app=\"a\"}\n+Inf  {app=\"b\"}\n"),
        (Mode::Default, &scalar, "2\n"),
        (
            Mode::Jsonl,
            &matrix,
            "{\"metric\":{\"app\":\"a\"},\"values\":[[1700000000,\"1\"],[1700000000.5,\"12.5\"]]}\n\
             {\"metric\":{},\"values\":[[1700000000,\"NaN\"]]}\n",
        ),
        (
            Mode::Jsonl,
            &vector,
            "{\"metric\":{\"app\":\"a\"},\"value\":[1700000000,\"1\"]}\n\
             {\"metric\":{\"app\":\"b\"},\"value\":[1700000000,\"+Inf\"]}\n",
        ),
        (Mode::Jsonl, &scalar, "[1700000000.25,\"2\"]\n"),
        (Mode::Raw, &scalar, "[\n  1700000000.25,\n  \"2\"\n]\n"),
        (Mode::Raw, &QueryResult::Matrix(vec![]), "[]\n"),
        (Mode::Default, &QueryResult::Vector(vec![]), ""),
    ];
    for (mode, result, expect) in cases {
        assert_eq!(metric(mode, result), expect, "{mode:?} {result:?}");
    }
}

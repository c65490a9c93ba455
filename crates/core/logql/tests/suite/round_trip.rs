//! Generated trees: written and read again they are the same, in one line and laid out.

use proptest::prelude::*;
use skald_logql::{
    Expr, LogExpr, MatchOp, Matcher, MetricExpr, parse, pretty,
    syntax::ast::{
        Binary, BinaryOp, CompareOp, Comparison, Conversion, Extraction, Group, Grouping, LabelFilter, LabelFormat,
        LabelFormatSource, LabelReplace, LineFilter, LineFilterOp, LineFilterText, LogRange, NameOrMatcher,
        RangeAggregation, RangeOp, Stage, Unwrap, VectorAggregation, VectorMatching, VectorOp,
    },
};

const SECOND: i64 = 1_000_000_000;

fn name() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z_][a-z0-9_]{1,6}", Just("sum".to_owned()), Just("rate".to_owned())]
        .prop_filter("keywords are no names", |name| parse(&format!("{{{name}=\"x\"}}")).is_ok())
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[ -~]{0,8}", any::<String>().prop_map(|s| s.chars().take(6).collect())]
}

fn matcher() -> impl Strategy<Value = Matcher> {
    prop_oneof![
        (name(), prop_oneof![Just(MatchOp::Eq), Just(MatchOp::Ne)], text())
            .prop_map(|(n, op, v)| Matcher::new(&n, op, &v).unwrap()),
        (name(), prop_oneof![Just(MatchOp::Re), Just(MatchOp::NotRe)], "[a-z]{1,4}(\\.\\*|\\\\d)?")
            .prop_map(|(n, op, v)| Matcher::new(&n, op, &v).unwrap()),
    ]
}

fn compare() -> impl Strategy<Value = CompareOp> {
    use CompareOp::*;
    prop::sample::select(vec![Eq, Ne, Gt, Gte, Lt, Lte])
}

fn number() -> impl Strategy<Value = f64> {
    prop_oneof![(-1000i32..1000).prop_map(f64::from), (0.0..1e9f64), Just(1e30), Just(1.5e-7)]
}

fn label_filter() -> impl Strategy<Value = LabelFilter> {
    let leaf = prop_oneof![
        matcher().prop_map(LabelFilter::Matcher),
        (name(), compare(), number()).prop_map(|(name, op, value)| LabelFilter::Number(Comparison { name, op, value })),
        (name(), compare(), -100_000 * SECOND..100_000 * SECOND)
            .prop_map(|(name, op, value)| LabelFilter::Duration(Comparison { name, op, value })),
        (name(), compare(), 0u64..10_000_000_000).prop_map(|(name, op, value)| LabelFilter::Bytes(Comparison {
            name,
            op,
            value
        })),
        (name(), any::<bool>()).prop_map(|(name, negative)| LabelFilter::Ip {
            name,
            negative,
            pattern: "10.0.0.0/8".to_owned()
        }),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..4).prop_map(LabelFilter::all),
            prop::collection::vec(inner, 2..4).prop_map(LabelFilter::any),
        ]
    })
}

fn line_filter() -> impl Strategy<Value = LineFilter> {
    let op = prop_oneof![Just(LineFilterOp::Contains), Just(LineFilterOp::NotContains)];
    let part = prop_oneof![text().prop_map(LineFilterText::Text), Just(LineFilterText::Ip("1.2.3.4".to_owned()))];
    let plain = (op, prop::collection::vec(part, 1..3)).prop_map(|(op, alternatives)| LineFilter { op, alternatives });
    let op = prop::sample::select(vec![
        LineFilterOp::Regex,
        LineFilterOp::NotRegex,
        LineFilterOp::Pattern,
        LineFilterOp::NotPattern,
    ]);
    let word = "[a-z]{1,5}".prop_map(LineFilterText::Text);
    let other = (op, prop::collection::vec(word, 1..3)).prop_map(|(op, alternatives)| LineFilter { op, alternatives });
    prop_oneof![plain, other]
}

fn extractions(least: usize) -> impl Strategy<Value = Vec<Extraction>> {
    prop::collection::vec((name(), "[a-z]{1,3}(\\.[a-z]{1,3})?"), least..3)
        .prop_map(|pairs| pairs.into_iter().map(|(label, source)| Extraction { label, source }).collect())
}

fn names_or_matchers() -> impl Strategy<Value = Vec<NameOrMatcher>> {
    prop::collection::vec(
        prop_oneof![name().prop_map(NameOrMatcher::Name), matcher().prop_map(NameOrMatcher::Matcher)],
        1..3,
    )
}

fn stage() -> impl Strategy<Value = Stage> {
    let format = prop_oneof![
        name().prop_map(LabelFormatSource::Label),
        Just(LabelFormatSource::Template("{{.x}} \"y\"".to_owned()))
    ];
    let formats = prop::collection::hash_map(name(), format, 1..3).prop_map(|formats| {
        Stage::LabelFormat(formats.into_iter().map(|(label, source)| LabelFormat { label, source }).collect())
    });
    prop_oneof![
        line_filter().prop_map(Stage::LineFilter),
        extractions(0).prop_map(Stage::Json),
        (any::<bool>(), any::<bool>(), extractions(0)).prop_map(|(strict, keep_empty, extractions)| Stage::Logfmt {
            strict,
            keep_empty,
            extractions
        }),
        Just(Stage::Regexp("(?P<a>\\w+)".to_owned())),
        Just(Stage::Pattern("<a> - <_>".to_owned())),
        Just(Stage::Unpack),
        Just(Stage::Decolorize),
        label_filter().prop_map(Stage::LabelFilter),
        Just(Stage::LineFormat("{{.x | lower}}\n".to_owned())),
        formats,
        names_or_matchers().prop_map(Stage::Drop),
        names_or_matchers().prop_map(Stage::Keep),
    ]
}

fn log() -> impl Strategy<Value = LogExpr> {
    (prop::collection::vec(matcher(), 0..3), prop::collection::vec(stage(), 0..4)).prop_map(|(mut matchers, mut stages)| {
        matchers.push(Matcher::new("app", MatchOp::Eq, "x").unwrap());
        // No text means this: `| keep a != "b"` is one stage with a matcher.
        let mut after_names = false;
        stages.retain(|stage| {
            let ambiguous = after_names
                && matches!(stage, Stage::LineFilter(filter) if matches!(filter.op, LineFilterOp::NotContains | LineFilterOp::NotRegex));
            if !ambiguous {
                after_names = matches!(stage, Stage::Drop(_) | Stage::Keep(_));
            }
            !ambiguous
        });
        LogExpr { matchers, stages }
    })
}

fn grouping() -> impl Strategy<Value = Grouping> {
    (any::<bool>(), prop::collection::vec(name(), 0..3)).prop_map(|(without, labels)| Grouping { without, labels })
}

fn range() -> impl Strategy<Value = MetricExpr> {
    let conversion = prop::sample::select(vec![
        Conversion::Number,
        Conversion::Bytes,
        Conversion::Duration,
        Conversion::DurationSeconds,
    ]);
    let unwrap = (name(), conversion, prop::collection::vec(label_filter(), 0..2))
        .prop_map(|(label, conversion, filters)| Unwrap { label, conversion, filters });
    let op = prop::sample::select(RangeOp::ALL);
    (op, log(), 1i64..1_000_000, -5000i64..5000, unwrap, prop::option::of(grouping()), 0.0..1.0f64).prop_map(
        |(op, selector, range_ms, offset_ms, unwrap, grouping, param)| {
            use RangeOp::*;
            let lines = matches!(op, CountOverTime | Rate | BytesOverTime | BytesRate | AbsentOverTime);
            let groups = !lines && !matches!(op, SumOverTime | RateCounter);
            MetricExpr::Range(Box::new(RangeAggregation {
                op,
                param: (op == QuantileOverTime).then_some(param),
                range: LogRange {
                    selector,
                    range_ns: range_ms * 1_000_000,
                    offset_ns: offset_ms * 1_000_000,
                    unwrap: (!lines).then_some(unwrap),
                },
                grouping: grouping.filter(|_| groups),
            }))
        },
    )
}

fn metric() -> impl Strategy<Value = MetricExpr> {
    let leaf = prop_oneof![range(), number().prop_map(MetricExpr::VectorLiteral)];
    leaf.prop_recursive(4, 12, 2, |inner| {
        let vector = (prop::sample::select(VectorOp::ALL), 1usize..9, inner.clone(), prop::option::of(grouping()))
            .prop_map(|(op, k, inner, grouping)| {
                use VectorOp::*;
                let k = matches!(op, Topk | Bottomk | ApproxTopk).then_some(k);
                let grouping = grouping.filter(|_| !matches!(op, Sort | SortDesc | ApproxTopk));
                MetricExpr::Vector(Box::new(VectorAggregation { op, k, inner, grouping }))
            });
        let group =
            (any::<bool>(), prop::collection::vec(name(), 0..2)).prop_map(|(left, include)| Group { left, include });
        let matching = (any::<bool>(), prop::collection::vec(name(), 0..3), prop::option::of(group))
            .prop_map(|(on, labels, group)| VectorMatching { on, labels, group });
        let binary = (
            prop::sample::select(BinaryOp::ALL),
            inner.clone(),
            inner.clone(),
            any::<bool>(),
            prop::option::of(matching),
        )
            .prop_map(|(op, left, right, return_bool, matching)| {
                MetricExpr::Binary(Box::new(Binary { op, left, right, return_bool, matching }))
            });
        let with_number = (number(), inner.clone(), any::<bool>()).prop_map(|(n, inner, left)| {
            let (left, right) = if left { (MetricExpr::Literal(n), inner) } else { (inner, MetricExpr::Literal(n)) };
            MetricExpr::Binary(Box::new(Binary { op: BinaryOp::Pow, left, right, return_bool: false, matching: None }))
        });
        let replace = (inner, name(), text()).prop_map(|(inner, dst, replacement)| {
            MetricExpr::LabelReplace(Box::new(LabelReplace {
                inner,
                dst,
                replacement,
                src: "s".to_owned(),
                regex: "(.*)".to_owned(),
            }))
        });
        prop_oneof![vector, binary, with_number, replace]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn trees_survive_their_text(expr in prop_oneof![log().prop_map(Expr::Log), metric().prop_map(Expr::Metric)]) {
        let text = expr.to_string();
        prop_assert_eq!(parse(&text), Ok(expr.clone()), "{}", text);
        let laid_out = pretty(&expr);
        prop_assert_eq!(parse(&laid_out), Ok(expr), "{}", laid_out);
    }

    #[test]
    fn no_text_breaks_the_parser(text in "\\PC{0,60}") {
        let _ = parse(&text);
    }

    #[test]
    fn no_mutilated_query_breaks_the_parser(expr in metric(), cut in 0usize..400, flip in any::<char>()) {
        let mut chars: Vec<char> = expr.to_string().chars().collect();
        let at = cut % chars.len();
        chars[at] = flip;
        let _ = parse(&chars.iter().collect::<String>());
        let _ = parse(&chars[..at].iter().collect::<String>());
    }
}

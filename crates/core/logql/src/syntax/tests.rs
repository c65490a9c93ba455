//! Tables of queries: what parses and as what, and what is refused with which words.

use super::{ast::*, *};

/// Query and its canonical form.
const CANONICAL: &[(&str, &str)] = &[
    (r#"{a="b"}"#, r#"{a="b"}"#),
    (r#"{ a = "b" , c =~ `d\.e` }"#, r#"{a="b", c=~"d\\.e"}"#),
    (r#"({a="b"})"#, r#"{a="b"}"#),
    (r#"{a="b"} |= "x" != "y" or "z" |~ `\d` !~ "e""#, r#"{a="b"} |= "x" != "y" or "z" |~ "\\d" !~ "e""#),
    (r#"{a="b"} |> "<_> x" !> "y <_>""#, r#"{a="b"} |> "<_> x" !> "y <_>""#),
    (r#"{a="b"} |= ip("1.2.3.4/16") or "x""#, r#"{a="b"} |= ip("1.2.3.4/16") or "x""#),
    (r#"{a="b"} | json | logfmt --strict --keep-empty"#, r#"{a="b"} | json | logfmt --strict --keep-empty"#),
    (r#"{a="b"} | json x="y.z", w"#, r#"{a="b"} | json x="y.z",w="w""#),
    (r#"{a="b"} | LOGFMT --keep-empty x"#, r#"{a="b"} | logfmt --keep-empty x="x""#),
    (r#"{a="b"} | unpack | decolorize"#, r#"{a="b"} | unpack | decolorize"#),
    (r#"{a="b"} | regexp "(?P<x>.)" | pattern "<x> <_>""#, r#"{a="b"} | regexp "(?P<x>.)" | pattern "<x> <_>""#),
    (
        r#"{a="b"} | line_format "{{.x}}" | label_format x=y,z="{{.w}}""#,
        r#"{a="b"} | line_format "{{.x}}" | label_format x=y,z="{{.w}}""#,
    ),
    (r#"{a="b"} | drop x, y="z" | keep w"#, r#"{a="b"} | drop x,y="z" | keep w"#),
    (r#"{a="b"} | x="y""#, r#"{a="b"} | x="y""#),
    (r#"{a="b"} | x>5 and y<=1.5h or z==5KB"#, r#"{a="b"} | ( ( x>5 , y<=1h30m0s ) or z==5kB )"#),
    (r#"{a="b"} | x=1, y=2 or z=3"#, r#"{a="b"} | ( x==1 , ( y==2 or z==3 ) )"#),
    (r#"{a="b"} | x=1 or y=2, z=3"#, r#"{a="b"} | ( ( x==1 or y==2 ) , z==3 )"#),
    (r#"{a="b"} | x=1 y=2"#, r#"{a="b"} | ( x==1 , y==2 )"#),
    (r#"{a="b"} | x > -5m and y > -1"#, r#"{a="b"} | ( x>-5m0s , y>-1 )"#),
    (r#"{a="b"} | addr != ip("10.0.0.0/8")"#, r#"{a="b"} | addr!=ip("10.0.0.0/8")"#),
    (r#"rate({a="b"}[5m])"#, r#"rate({a="b"}[5m])"#),
    (r#"RATE({a="b"} |= "x" [1h30m] offset 5m)"#, r#"rate({a="b"} |= "x"[1h30m] offset 5m0s)"#),
    (r#"rate({a="b"}[5m] offset -1m | json)"#, r#"rate({a="b"} | json[5m] offset -1m0s)"#),
    (r#"rate(({a="b"} | json)[5m])"#, r#"rate({a="b"} | json[5m])"#),
    (r#"rate(({a="b"}[5m]))"#, r#"rate({a="b"}[5m])"#),
    (r#"sum by (x) (rate({a="b"}[1m]))"#, r#"sum by (x) (rate({a="b"}[1m]))"#),
    (r#"sum(rate({a="b"}[1m])) without (x, y)"#, r#"sum without (x,y) (rate({a="b"}[1m]))"#),
    (r#"sum(rate({a="b"}[1m])) by ()"#, r#"sum by () (rate({a="b"}[1m]))"#),
    (r#"topk(5, rate({a="b"}[1m]))"#, r#"topk(5,rate({a="b"}[1m]))"#),
    (
        r#"quantile_over_time(0.99, {a="b"} | json | unwrap duration(x) | __error__="" [5m]) by (y)"#,
        r#"quantile_over_time(0.99,{a="b"} | json | unwrap duration(x) | __error__=""[5m]) by (y)"#,
    ),
    (r#"sum_over_time({a="b"}[1m] | unwrap bytes(x))"#, r#"sum_over_time({a="b"} | unwrap bytes(x)[1m])"#),
    ("1 + 2 * 3", "7"),
    ("2 ^ 3 ^ 2", "512"),
    ("-1 + 1e6", "999999"),
    ("1 > 2", "0"),
    ("vector(1)+vector(1)", "(vector(1) + vector(1))"),
    (r#"rate({a="b"}[1m]) > bool 5"#, r#"(rate({a="b"}[1m]) > bool 5)"#),
    (
        r#"sum(rate({a="b"}[1m])) / on (x) group_left (y) sum(rate({a="c"}[1m]))"#,
        r#"(sum(rate({a="b"}[1m])) / on (x) group_left (y) sum(rate({a="c"}[1m])))"#,
    ),
    (
        r#"vector(1) or vector(2) and vector(3) unless vector(4)"#,
        "(vector(1) or ((vector(2) and vector(3)) unless vector(4)))",
    ),
    (r#"vector(1) - vector(2) - vector(3)"#, "((vector(1) - vector(2)) - vector(3))"),
    (
        r#"label_replace(rate({a="b"}[1m]), "d", "$1", "s", "(.*)")"#,
        r#"label_replace(rate({a="b"}[1m]),"d","$1","s","(.*)")"#,
    ),
    (r#"absent_over_time({a="b"}[1m])"#, r#"absent_over_time({a="b"}[1m])"#),
    ("{sum=\"x\", rate=\"y\"} # comment", r#"{sum="x", rate="y"}"#),
    (r#"{a="b"} | duration > 5s"#, r#"{a="b"} | duration>5s"#),
    (
        r#"sort_desc(sum by (x) (count_over_time({a="b"}[1d])))"#,
        r#"sort_desc(sum by (x) (count_over_time({a="b"}[1d])))"#,
    ),
];

const REFUSED: &[(&str, &str)] = &[
    ("", "parse error at line 1, col 1: syntax error: unexpected $end"),
    ("{a=\"b\"", "parse error at line 1, col 7: syntax error: unexpected $end, expecting } or ,"),
    ("{a}", "parse error at line 1, col 3: syntax error: unexpected }, expecting = or =~ or !~ or !="),
    (r#"{app=foo}"#, "parse error at line 1, col 6: syntax error: unexpected IDENTIFIER, expecting STRING"),
    (r#"{a="b",}"#, "parse error at line 1, col 8: syntax error: unexpected }, expecting IDENTIFIER"),
    (r#"{"a.b"="c"}"#, "parse error at line 1, col 2: syntax error: unexpected STRING, expecting IDENTIFIER or }"),
    (r#"unk({a="b"}[5m])"#, "parse error at line 1, col 1: syntax error: unexpected IDENTIFIER"),
    (r#"min({a="b"}[5m])"#, "parse error at line 0, col 12: syntax error: unexpected RANGE"),
    (r#"sum({job="mysql"})"#, "parse error at line 1, col 18: syntax error: unexpected )"),
    (r#"rate({a="b"}[5m)"#, "parse error at line 0, col 13: missing closing ']' in duration"),
    (r#"rate({a="b"}[5minutes])"#, "parse error at line 0, col 13: not a valid duration string: \"5minutes\""),
    (r#"rate({a="b"}[5m:1m])"#, "parse error at line 0, col 13: not a valid duration string: \"5m:1m\""),
    (r#"rate({a="b"})"#, "parse error at line 1, col 13: syntax error: unexpected )"),
    (r#"{a="b"} |= x"#, "parse error at line 1, col 12: syntax error: unexpected IDENTIFIER, expecting STRING or ip"),
    (r#"{a="b"} | "#, "parse error at line 1, col 11: syntax error: unexpected $end"),
    (r#"{a="b}"#, "parse error at line 1, col 4: literal not terminated"),
    (
        "{}",
        "parse error : queries require at least one regexp or equality matcher that does not have an empty-compatible value. \
         For instance, app=~\".*\" does not meet this requirement, but app=~\".+\" will",
    ),
    (r#"rate({a="b"} | unwrap x [5m]) by (y)"#, "parse error : grouping not allowed for rate aggregation"),
    (r#"count_over_time({a="b"} | unwrap x [5m])"#, "parse error : invalid aggregation count_over_time with unwrap"),
    (r#"sum_over_time({a="b"}[5m])"#, "parse error : invalid aggregation sum_over_time without unwrap"),
    (r#"topk(rate({a="b"}[5m]))"#, "parse error : parameter required for operation topk"),
    (r#"topk(0, rate({a="b"}[5m]))"#, "parse error : invalid parameter (must be greater than 0) topk(0"),
    (r#"sort(rate({a="b"}[5m])) by (x)"#, "parse error : sort and sort_desc doesn't allow grouping by "),
    ("vector(1e309)", "parse error at line 1, col 8: number out of range"),
    ("1 or vector(1)", "parse error : unexpected literal for left leg of logical/set binary operation (or): 1.000000"),
    (r#"{a="b"} + 1"#, "parse error : unexpected type for left leg of binary operation (+): *syntax.MatchersExpr"),
    (
        r#"{a="b"} | label_format x=y,x=z"#,
        "parse error : multiple label name 'x' not allowed in a single format operation",
    ),
    (r#"{a="b"} | label_format __error__=y"#, "parse error : __error__ cannot be formatted"),
    (r#"{a="b"} | regexp "x""#, "parse error : invalid regexp parser: at least one named capture must be supplied"),
];

#[test]
fn canonical_forms() {
    for (query, expect) in CANONICAL {
        let expr = parse(query).unwrap_or_else(|e| panic!("{query}: {e}"));
        let text = expr.to_string();
        assert_eq!(text, *expect, "{query}");
        assert_eq!(parse(&text).as_ref(), Ok(&expr), "{text} does not parse to the same tree");
        let pretty = pretty(&expr);
        assert_eq!(parse(&pretty).as_ref(), Ok(&expr), "{pretty}");
    }
}

#[test]
fn refusals() {
    for (query, expect) in REFUSED {
        let error = parse(query).expect_err(query);
        assert_eq!(error.to_string(), *expect, "{query}");
    }
}

#[test]
fn kinds_of_queries() {
    assert!(parse_log_selector(r#"{a="b"} |= "x""#).is_ok());
    assert!(parse_log_selector("vector(1)").is_err());
    assert_eq!(parse_matchers(r#"{a="b"}"#).map(|m| m.len()), Ok(1));
    assert!(parse_matchers(r#"{a="b"} |= "x""#).is_err());
    assert!(parse_matchers("{}").is_err());
    assert_eq!(parse_matchers_allow_empty("{}").map(|m| m.len()), Ok(0));
}

#[test]
fn long_queries_are_laid_out() {
    let query = format!(r#"sum by (x) (rate({{a="{}"}} | json | y="z" [5m]))"#, "b".repeat(100));
    let expect =
        format!("sum by (x) (\n  rate(\n    {{a=\"{}\"}}\n      | json\n      | y=\"z\" [5m]\n  )\n)", "b".repeat(100));
    assert_eq!(pretty(&parse(&query).unwrap()), expect);
}

#[test]
fn hostile_queries_are_refused_in_bounded_stack() {
    let deep = 60_000;
    let cases = [
        "(".repeat(deep),
        format!(r#"{{a="b"}} | {}"#, "(".repeat(deep)),
        format!("rate({}", "(".repeat(deep)),
        "sum(".repeat(30_000),
        format!("vector(1){}", "^vector(1)".repeat(10_000)),
        format!("vector(1){}", "+vector(1)".repeat(10_000)),
        "x".repeat(200_000),
        format!("{{a=\"{}", "\\".repeat(100_000)),
        "1^".repeat(60_000),
    ];
    for query in cases {
        assert!(parse(&query).is_err(), "{}", &query[..20]);
    }
    let wide = format!(r#"{{a="b"}} | x=1{}"#, " or x=1".repeat(15_000));
    let Expr::Log(log) = parse(&wide).unwrap() else { panic!("a log query") };
    assert!(matches!(&log.stages[0], Stage::LabelFilter(LabelFilter::Or(filters)) if filters.len() == 15_001));
}

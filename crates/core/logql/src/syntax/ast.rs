//! What a query means, as a tree. [`super::display`] writes it back as text that parses to the same tree.

use crate::matcher::Matcher;

/// A whole query.
#[derive(Clone, Debug, PartialEq)]
pub enum Expr {
    /// Answers with log lines.
    Log(LogExpr),
    /// Answers with numbers over time.
    Metric(MetricExpr),
}

/// Which streams, and what happens to their lines.
#[derive(Clone, Debug, PartialEq)]
pub struct LogExpr {
    /// All must match.
    pub matchers: Vec<Matcher>,
    /// Applied in order to every line.
    pub stages: Vec<Stage>,
}

/// One step of a pipeline.
#[derive(Clone, Debug, PartialEq)]
pub enum Stage {
    /// `|= "text"` and its kin.
    LineFilter(LineFilter),
    /// `| json`, with the labels to extract, or all when empty.
    Json(Vec<Extraction>),
    /// `| logfmt`.
    Logfmt {
        /// Stop at the first bad pair with an error.
        strict: bool,
        /// Keep keys without a value.
        keep_empty: bool,
        /// The labels to extract, or all when empty.
        extractions: Vec<Extraction>,
    },
    /// `| regexp "…"`.
    Regexp(String),
    /// `| pattern "…"`.
    Pattern(String),
    /// `| unpack`.
    Unpack,
    /// `| decolorize`.
    Decolorize,
    /// `| name op value …`.
    LabelFilter(LabelFilter),
    /// `| line_format "template"`.
    LineFormat(String),
    /// `| label_format a=b, c="template"`.
    LabelFormat(Vec<LabelFormat>),
    /// `| drop …`.
    Drop(Vec<NameOrMatcher>),
    /// `| keep …`.
    Keep(Vec<NameOrMatcher>),
}

/// A filter on the whole line: passes when one of the alternatives does (for negative operators: none).
#[derive(Clone, Debug, PartialEq)]
pub struct LineFilter {
    /// How the alternatives are compared.
    pub op: LineFilterOp,
    /// Joined by `or`; at least one.
    pub alternatives: Vec<LineFilterText>,
}

/// What a line filter looks for.
#[derive(Clone, Debug, PartialEq)]
pub enum LineFilterText {
    /// Text, regular expression or pattern, as the operator says.
    Text(String),
    /// `ip("…")`: an address, range or network.
    Ip(String),
}

/// The operators of line filters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineFilterOp {
    /// `|=`
    Contains,
    /// `!=`
    NotContains,
    /// `|~`
    Regex,
    /// `!~`
    NotRegex,
    /// `|>`
    Pattern,
    /// `!>`
    NotPattern,
}

impl LineFilterOp {
    /// True for the operators that drop what they find.
    pub fn is_negative(self) -> bool {
        matches!(self, Self::NotContains | Self::NotRegex | Self::NotPattern)
    }

    /// As written in a query.
    pub fn symbol(self) -> &'static str {
        match self {
            Self::Contains => "|=",
            Self::NotContains => "!=",
            Self::Regex => "|~",
            Self::NotRegex => "!~",
            Self::Pattern => "|>",
            Self::NotPattern => "!>",
        }
    }
}

/// `label="expression"` of `json` and `logfmt`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extraction {
    /// The label to set.
    pub label: String,
    /// Where its value is.
    pub source: String,
}

/// A condition on labels.
#[derive(Clone, Debug, PartialEq)]
pub enum LabelFilter {
    /// Text comparison.
    Matcher(Matcher),
    /// `name > 5`
    Number(Comparison<f64>),
    /// `name > 5s`, nanoseconds.
    Duration(Comparison<i64>),
    /// `name > 5KB`
    Bytes(Comparison<u64>),
    /// `name = ip("…")`
    Ip {
        /// The label.
        name: String,
        /// True for `!=`.
        negative: bool,
        /// An address, range or network.
        pattern: String,
    },
    /// All must hold; at least two, none of them an `And` itself.
    And(Vec<LabelFilter>),
    /// One must hold; at least two, none of them an `Or` itself.
    Or(Vec<LabelFilter>),
}

/// A label compared with a quantity.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison<T> {
    /// The label.
    pub name: String,
    /// How.
    pub op: CompareOp,
    /// With what.
    pub value: T,
}

/// Comparison operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CompareOp {
    /// `==`
    Eq,
    /// `!=`
    Ne,
    /// `>`
    Gt,
    /// `>=`
    Gte,
    /// `<`
    Lt,
    /// `<=`
    Lte,
}

impl CompareOp {
    /// As written in a query.
    pub fn symbol(self) -> &'static str {
        match self {
            Self::Eq => "==",
            Self::Ne => "!=",
            Self::Gt => ">",
            Self::Gte => ">=",
            Self::Lt => "<",
            Self::Lte => "<=",
        }
    }

    /// Whether `left op right` holds; comparisons with NaN hold only for `!=`.
    pub fn holds<T: PartialOrd>(self, left: &T, right: &T) -> bool {
        match self {
            Self::Eq => left == right,
            Self::Ne => left != right,
            Self::Gt => left > right,
            Self::Gte => left >= right,
            Self::Lt => left < right,
            Self::Lte => left <= right,
        }
    }
}

/// One assignment of `label_format`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelFormat {
    /// The label to set.
    pub label: String,
    /// From what.
    pub source: LabelFormatSource,
}

/// Where `label_format` takes a value from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LabelFormatSource {
    /// Renames this label.
    Label(String),
    /// Evaluates this template.
    Template(String),
}

/// An item of `drop` and `keep`.
#[derive(Clone, Debug, PartialEq)]
pub enum NameOrMatcher {
    /// Whatever the value.
    Name(String),
    /// Only where the value matches.
    Matcher(Matcher),
}

/// A query that answers with numbers.
#[derive(Clone, Debug, PartialEq)]
pub enum MetricExpr {
    /// A function of the lines in a window.
    Range(Box<RangeAggregation>),
    /// A function of the series at one instant.
    Vector(Box<VectorAggregation>),
    /// Two sides and an operator.
    Binary(Box<Binary>),
    /// A number.
    Literal(f64),
    /// `vector(n)`
    VectorLiteral(f64),
    /// `label_replace(…)`
    LabelReplace(Box<LabelReplace>),
}

/// `op(param, range) by (…)`
#[derive(Clone, Debug, PartialEq)]
pub struct RangeAggregation {
    /// Which function.
    pub op: RangeOp,
    /// The quantile.
    pub param: Option<f64>,
    /// Of which lines.
    pub range: LogRange,
    /// Which labels the series keep.
    pub grouping: Option<Grouping>,
}

/// The lines of a window that slides with the step.
#[derive(Clone, Debug, PartialEq)]
pub struct LogRange {
    /// Which lines.
    pub selector: LogExpr,
    /// Nanoseconds.
    pub range_ns: i64,
    /// How far into the past the window lies, nanoseconds; negative: into the future.
    pub offset_ns: i64,
    /// Which label is the sample's value; without it a sample is a line.
    pub unwrap: Option<Unwrap>,
}

/// `| unwrap conversion(label) | filters`
#[derive(Clone, Debug, PartialEq)]
pub struct Unwrap {
    /// The label that holds the value.
    pub label: String,
    /// How its text becomes a number.
    pub conversion: Conversion,
    /// Applied after the conversion.
    pub filters: Vec<LabelFilter>,
}

/// How `unwrap` reads a label's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conversion {
    /// A number.
    Number,
    /// A size such as `5KB`, in bytes.
    Bytes,
    /// `duration(…)`: a Go duration, in seconds.
    Duration,
    /// `duration_seconds(…)`: the same.
    DurationSeconds,
}

/// Names an operation enum's variants as queries write them.
macro_rules! operations {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$variant_doc])* $variant,)* }

        impl $name {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// As written in a query.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }

            /// The operation with this name.
            pub fn from_name(name: &str) -> Option<Self> {
                match name { $($text => Some(Self::$variant),)* _ => None }
            }
        }
    };
}

operations! {
    /// Functions of the lines in a window.
    RangeOp {
        /// Lines.
        CountOverTime = "count_over_time",
        /// Lines (or unwrapped values) per second.
        Rate = "rate",
        /// Increase per second of a counter.
        RateCounter = "rate_counter",
        /// Bytes of lines.
        BytesOverTime = "bytes_over_time",
        /// Bytes of lines per second.
        BytesRate = "bytes_rate",
        /// Mean.
        AvgOverTime = "avg_over_time",
        /// Sum.
        SumOverTime = "sum_over_time",
        /// Smallest.
        MinOverTime = "min_over_time",
        /// Largest.
        MaxOverTime = "max_over_time",
        /// Population variance.
        StdvarOverTime = "stdvar_over_time",
        /// Population standard deviation.
        StddevOverTime = "stddev_over_time",
        /// Quantile.
        QuantileOverTime = "quantile_over_time",
        /// First in time.
        FirstOverTime = "first_over_time",
        /// Last in time.
        LastOverTime = "last_over_time",
        /// 1 where there is nothing.
        AbsentOverTime = "absent_over_time",
    }
}

operations! {
    /// Functions of the series at one instant.
    VectorOp {
        /// Sum.
        Sum = "sum",
        /// Mean.
        Avg = "avg",
        /// Smallest.
        Min = "min",
        /// Largest.
        Max = "max",
        /// Number of series.
        Count = "count",
        /// Population standard deviation.
        Stddev = "stddev",
        /// Population variance.
        Stdvar = "stdvar",
        /// The k largest.
        Topk = "topk",
        /// The k smallest.
        Bottomk = "bottomk",
        /// The k largest, approximately.
        ApproxTopk = "approx_topk",
        /// Ascending by value.
        Sort = "sort",
        /// Descending by value.
        SortDesc = "sort_desc",
    }
}

operations! {
    /// Binary operators.
    BinaryOp {
        /// Union.
        Or = "or",
        /// Intersection.
        And = "and",
        /// Difference.
        Unless = "unless",
        /// Equal.
        Eq = "==",
        /// Not equal.
        Ne = "!=",
        /// Less.
        Lt = "<",
        /// Less or equal.
        Lte = "<=",
        /// Greater.
        Gt = ">",
        /// Greater or equal.
        Gte = ">=",
        /// Plus.
        Add = "+",
        /// Minus.
        Sub = "-",
        /// Times.
        Mul = "*",
        /// Divided by.
        Div = "/",
        /// Remainder.
        Mod = "%",
        /// To the power of.
        Pow = "^",
    }
}

impl BinaryOp {
    /// `and`, `or`, `unless`.
    pub fn is_set(self) -> bool {
        matches!(self, Self::Or | Self::And | Self::Unless)
    }

    /// `== != < <= > >=`
    pub fn comparison(self) -> Option<CompareOp> {
        Some(match self {
            Self::Eq => CompareOp::Eq,
            Self::Ne => CompareOp::Ne,
            Self::Lt => CompareOp::Lt,
            Self::Lte => CompareOp::Lte,
            Self::Gt => CompareOp::Gt,
            Self::Gte => CompareOp::Gte,
            _ => return None,
        })
    }
}

/// `by (…)` or `without (…)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grouping {
    /// True for `without`.
    pub without: bool,
    /// The labels named.
    pub labels: Vec<String>,
}

/// `op by (…) (param, inner)`
#[derive(Clone, Debug, PartialEq)]
pub struct VectorAggregation {
    /// Which function.
    pub op: VectorOp,
    /// How many, for `topk`, `bottomk`, `approx_topk`; at least 1 there.
    pub k: Option<usize>,
    /// Of what.
    pub inner: MetricExpr,
    /// How series are grouped; `None`: all together.
    pub grouping: Option<Grouping>,
}

/// `left op right`
#[derive(Clone, Debug, PartialEq)]
pub struct Binary {
    /// Which operator.
    pub op: BinaryOp,
    /// Left operand.
    pub left: MetricExpr,
    /// Right operand.
    pub right: MetricExpr,
    /// Comparisons answer 0 or 1 instead of filtering.
    pub return_bool: bool,
    /// How series of both sides find one another; `None`: by all labels.
    pub matching: Option<VectorMatching>,
}

/// `on (…) group_left (…)`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VectorMatching {
    /// True for `on`, false for `ignoring`.
    pub on: bool,
    /// The labels named.
    pub labels: Vec<String>,
    /// Whether one side may have many series for one of the other.
    pub group: Option<Group>,
}

/// Which side is the many side, and which labels it takes from the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// True for `group_left`.
    pub left: bool,
    /// Labels copied from the one side.
    pub include: Vec<String>,
}

/// `label_replace(inner, "dst", "replacement", "src", "regex")`
#[derive(Clone, Debug, PartialEq)]
pub struct LabelReplace {
    /// Whose labels.
    pub inner: MetricExpr,
    /// The label to set.
    pub dst: String,
    /// To what; `$1` and `${name}` are groups.
    pub replacement: String,
    /// The label to read.
    pub src: String,
    /// Matched against the whole of it.
    pub regex: String,
}

impl MetricExpr {
    /// Calls `visit` with every range aggregation in the order in which they are written.
    pub fn for_each_range<'a>(&'a self, visit: &mut dyn FnMut(&'a RangeAggregation)) {
        match self {
            Self::Range(range) => visit(range),
            Self::Vector(vector) => vector.inner.for_each_range(visit),
            Self::Binary(binary) => {
                binary.left.for_each_range(visit);
                binary.right.for_each_range(visit);
            }
            Self::LabelReplace(replace) => replace.inner.for_each_range(visit),
            Self::Literal(_) | Self::VectorLiteral(_) => {}
        }
    }
}

impl Expr {
    /// The selectors of the query in the order in which they are written: one for a log query, one
    /// per range aggregation of a metric query.
    pub fn selectors(&self) -> Vec<&LogExpr> {
        match self {
            Self::Log(log) => vec![log],
            Self::Metric(metric) => {
                let mut out = Vec::new();
                metric.for_each_range(&mut |range| out.push(&range.range.selector));
                out
            }
        }
    }

    /// The longest `[range]` of the query in nanoseconds, 0 without one.
    pub fn longest_range_ns(&self) -> i64 {
        let mut longest = 0;
        if let Self::Metric(metric) = self {
            metric.for_each_range(&mut |range| longest = longest.max(range.range.range_ns));
        }
        longest
    }
}

//! The kinds of tokens, in the order in which error messages list them.
//!
//! Clients match on texts such as `unexpected }, expecting = or =~ or !~ or !=`: names and order of
//! the kinds are therefore part of the interface.

/// What kind of token; payloads (names, numbers) lie beside it in [`super::lexer::Token`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Kind {
    End,
    Bytes,
    Identifier,
    String,
    Number,
    Flag,
    Duration,
    Range,
    Eq,
    Re,
    NotRe,
    NotPattern,
    OpenBrace,
    CloseBrace,
    CloseBracket,
    Comma,
    Dot,
    PipeMatch,
    PipeExact,
    PipePattern,
    OpenParen,
    CloseParen,
    By,
    Without,
    /// A function name followed by its argument list; which one stands in the token's text.
    Function,
    Bool,
    Json,
    Regexp,
    Logfmt,
    Pipe,
    LineFormat,
    LabelFormat,
    Unwrap,
    Unpack,
    Offset,
    Pattern,
    Ip,
    On,
    Ignoring,
    GroupLeft,
    GroupRight,
    Decolorize,
    Drop,
    Keep,
    Or,
    And,
    Unless,
    CmpEq,
    NotEq,
    Lt,
    Lte,
    Gt,
    Gte,
    Add,
    Sub,
    Mul,
    Div,
    Mod,
    Pow,
    /// Something that is no token; the token's text is the message.
    Error,
}

/// Words that are never identifiers, with their kinds.
const KEYWORDS: &[(&str, Kind)] = &[
    ("and", Kind::And),
    ("bool", Kind::Bool),
    ("by", Kind::By),
    ("decolorize", Kind::Decolorize),
    ("drop", Kind::Drop),
    ("group_left", Kind::GroupLeft),
    ("group_right", Kind::GroupRight),
    ("ignoring", Kind::Ignoring),
    ("ip", Kind::Ip),
    ("json", Kind::Json),
    ("keep", Kind::Keep),
    ("label_format", Kind::LabelFormat),
    ("line_format", Kind::LineFormat),
    ("logfmt", Kind::Logfmt),
    ("offset", Kind::Offset),
    ("on", Kind::On),
    ("or", Kind::Or),
    ("pattern", Kind::Pattern),
    ("regexp", Kind::Regexp),
    ("unless", Kind::Unless),
    ("unpack", Kind::Unpack),
    ("unwrap", Kind::Unwrap),
    ("without", Kind::Without),
];

/// Names that are functions where an argument list follows, with the name error messages give them.
pub(crate) const FUNCTIONS: &[(&str, &str)] = &[
    ("absent_over_time", "ABSENT_OVER_TIME"),
    ("approx_topk", "APPROX_TOPK"),
    ("avg", "AVG"),
    ("avg_over_time", "AVG_OVER_TIME"),
    ("bottomk", "BOTTOMK"),
    ("bytes", "BYTES_CONV"),
    ("bytes_over_time", "BYTES_OVER_TIME"),
    ("bytes_rate", "BYTES_RATE"),
    ("count", "COUNT"),
    ("count_over_time", "COUNT_OVER_TIME"),
    ("duration", "DURATION_CONV"),
    ("duration_seconds", "DURATION_SECONDS_CONV"),
    ("first_over_time", "FIRST_OVER_TIME"),
    ("label_replace", "LABEL_REPLACE"),
    ("last_over_time", "LAST_OVER_TIME"),
    ("max", "MAX"),
    ("max_over_time", "MAX_OVER_TIME"),
    ("min", "MIN"),
    ("min_over_time", "MIN_OVER_TIME"),
    ("quantile_over_time", "QUANTILE_OVER_TIME"),
    ("rate", "RATE"),
    ("rate_counter", "RATE_COUNTER"),
    ("sort", "SORT"),
    ("sort_desc", "SORT_DESC"),
    ("stddev", "STDDEV"),
    ("stddev_over_time", "STDDEV_OVER_TIME"),
    ("stdvar", "STDVAR"),
    ("stdvar_over_time", "STDVAR_OVER_TIME"),
    ("sum", "SUM"),
    ("sum_over_time", "SUM_OVER_TIME"),
    ("topk", "TOPK"),
    ("vector", "VECTOR"),
];

impl Kind {
    /// The keyword `lower` (already in lower case) is.
    pub(crate) fn keyword(lower: &str) -> Option<Self> {
        KEYWORDS.binary_search_by(|(word, _)| (*word).cmp(lower)).ok().map(|i| KEYWORDS[i].1)
    }

    /// As error messages call it. A function's own name is in its token.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::End => "$end",
            Self::Bytes => "BYTES",
            Self::Identifier => "IDENTIFIER",
            Self::String => "STRING",
            Self::Number => "NUMBER",
            Self::Flag => "FUNCTION_FLAG",
            Self::Duration => "DURATION",
            Self::Range => "RANGE",
            Self::Eq => "=",
            Self::Re => "=~",
            Self::NotRe => "!~",
            Self::NotPattern => "!>",
            Self::OpenBrace => "{",
            Self::CloseBrace => "}",
            Self::CloseBracket => "]",
            Self::Comma => ",",
            Self::Dot => ".",
            Self::PipeMatch => "|~",
            Self::PipeExact => "|=",
            Self::PipePattern => "|>",
            Self::OpenParen => "(",
            Self::CloseParen => ")",
            Self::Function => "FUNCTION",
            Self::Pipe => "|",
            Self::CmpEq => "==",
            Self::NotEq => "!=",
            Self::Lt => "<",
            Self::Lte => "<=",
            Self::Gt => ">",
            Self::Gte => ">=",
            Self::Add => "+",
            Self::Sub => "-",
            Self::Mul => "*",
            Self::Div => "/",
            Self::Mod => "%",
            Self::Pow => "^",
            Self::Error => "error",
            word => KEYWORDS.iter().find(|(_, kind)| *kind == word).map_or("", |(text, _)| text),
        }
    }
}

/// The function named `lower` (already in lower case), as error messages call it.
pub(crate) fn function(lower: &str) -> Option<&'static str> {
    FUNCTIONS.binary_search_by(|(name, _)| (*name).cmp(lower)).ok().map(|i| FUNCTIONS[i].1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_sorted_for_binary_search() {
        assert!(KEYWORDS.windows(2).all(|w| w[0].0 < w[1].0));
        assert!(FUNCTIONS.windows(2).all(|w| w[0].0 < w[1].0));
    }
}

//! Why a query fails, by who can do something about it.

use skald_model::Labels;

use crate::syntax::ParseError;

/// Why a query has no answer. `Display` is the text clients of Loki know.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum QueryError {
    /// The text is no query.
    #[error(transparent)]
    Parse(#[from] ParseError),
    /// A sample of a metric query carries an error label.
    #[error(
        "pipeline error: '{kind}' for series: '{series}'.\n\
         Use a label filter to intentionally skip this error. (e.g | __error__!=\"{kind}\").\n\
         To skip all potential errors you can match empty errors.(e.g __error__=\"\")\n\
         The label filter can also be specified after unwrap. (e.g | unwrap latency | __error__=\"\" )\n"
    )]
    Pipeline {
        /// The value of `__error__`.
        kind: String,
        /// Labels of the sample.
        series: Labels,
    },
    /// The answer has more series than allowed.
    #[error(
        "maximum number of series ({limit}) reached for a single query; consider reducing query cardinality by adding more \
         specific stream selectors, reducing the time range, or aggregating results with functions like sum(), count() or topk()"
    )]
    SeriesLimit {
        /// How many are allowed.
        limit: usize,
    },
    /// Something the query asks for makes no sense or is beyond a limit.
    #[error("{0}")]
    BadRequest(String),
    /// A construct that parses but has no evaluation.
    #[error("{0} is not supported yet")]
    Unsupported(String),
    /// The engine was used wrongly or broke a promise of its own.
    #[error("{0}")]
    Internal(String),
}

/// Which kind of status an error becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusClass {
    /// The query is at fault: 400.
    BadRequest,
    /// The query is beyond a limit of its tenant: 400, and counted apart.
    Limit,
    /// We are at fault: 500.
    Internal,
}

impl QueryError {
    /// Who is at fault.
    pub fn status_class(&self) -> StatusClass {
        match self {
            Self::Parse(_) | Self::Pipeline { .. } | Self::BadRequest(_) | Self::Unsupported(_) => {
                StatusClass::BadRequest
            }
            Self::SeriesLimit { .. } => StatusClass::Limit,
            Self::Internal(_) => StatusClass::Internal,
        }
    }
}

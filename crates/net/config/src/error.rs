//! Every problem of a configuration at once, each with where it is.

use std::fmt;

/// One thing that is wrong, or worth a warning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where: `config.yaml line 7`, `flag -target`, or empty when it concerns no single place.
    pub place: String,
    /// What, naming the key.
    pub text: String,
}

impl Problem {
    pub(crate) fn new(place: impl Into<String>, text: impl Into<String>) -> Self {
        Self { place: place.into(), text: text.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.place.is_empty() { f.write_str(&self.text) } else { write!(f, "{}: {}", self.place, self.text) }
    }
}

/// A configuration that cannot be used. Prints one line per problem, each marked `CONFIG ERROR:`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// What is wrong; at least one entry.
    pub problems: Vec<Problem>,
}

impl ConfigError {
    pub(crate) fn one(place: impl Into<String>, text: impl Into<String>) -> Self {
        Self { problems: vec![Problem::new(place, text)] }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, problem) in self.problems.iter().enumerate() {
            let newline = if i == 0 { "" } else { "\n" };
            write!(f, "{newline}CONFIG ERROR: {problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}

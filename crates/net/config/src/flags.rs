//! The command line: Go's flags, which take one dash or two and `-name=value` or `-name value`.
//!
//! A few flags say what to do; every other flag is a setting by its path in the file, with dots between
//! blocks and dashes or underscores between words.

use crate::Problem;

/// What the process is asked to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Command {
    /// Run the roles of `target`.
    #[default]
    Run,
    /// Say whether the configuration is valid, and end.
    VerifyConfig,
    /// Print the version, and end.
    Version,
    /// Print [`HELP`], and end.
    Help,
    /// Print what `-target` accepts, and end.
    ListTargets,
}

/// The text of `-help`.
pub const HELP: &str = "\
Usage: skald [flags]

  -config.file <path>       YAML file to read; of several, separated by commas, the first that exists
  -config.expand-env        replace ${VAR} and ${VAR:-default} in the file
  -target <roles>           roles of this process, separated by commas (default: all)
  -verify-config            check the configuration and exit with 0 or 1
  -print-config-stderr      print the effective configuration before starting
  -list-targets             print the names -target accepts
  -version                  print the version
  -help                     print this text
  -<block>.<key>=<value>    any setting of the file, such as -server.http_listen_port=3200

Flags take one dash or two; '-' and '_' in setting names are the same.
Without -config.file: everything in one process, data below ./data, no tenants.
";

/// The command line, taken apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Flags {
    pub(crate) command: Command,
    /// Candidates, the first that exists is read.
    pub(crate) files: Vec<String>,
    pub(crate) expand_env: bool,
    pub(crate) print_config: bool,
    pub(crate) settings: Vec<Setting>,
}

/// A setting given as a flag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Setting {
    /// The flag as it was written, without dashes.
    pub(crate) flag: String,
    /// Its path in the file, words joined by underscores.
    pub(crate) path: Vec<String>,
    pub(crate) value: String,
}

/// Flags whose path in the file differs from their name.
const NAMED: [(&str, &str); 8] = [
    ("distributor.zone_awareness_enabled", "common.ring.zone_awareness_enabled"),
    ("distributor.replication_factor", "common.replication_factor"),
    ("ingester.availability_zone", "ingester.lifecycler.availability_zone"),
    ("ingester.unregister_on_shutdown", "ingester.lifecycler.unregister_on_shutdown"),
    ("ingester.tokens_file_path", "ingester.lifecycler.tokens_file_path"),
    ("auth.multitenancy_enabled", "auth_enabled"),
    ("log.level", "server.log_level"),
    ("log.format", "server.log_format"),
];

/// Takes `args` (without the program's name) apart.
///
/// # Errors
/// Every argument that cannot be understood.
pub(crate) fn parse(args: impl IntoIterator<Item = String>) -> Result<Flags, Vec<Problem>> {
    let mut flags = Flags::default();
    let mut problems = Vec::new();
    let mut args = args.into_iter().peekable();
    while let Some(arg) = args.next() {
        let Some(body) = arg.strip_prefix("--").or_else(|| arg.strip_prefix('-')).filter(|b| !b.is_empty()) else {
            problems.push(Problem::new("", format!("unexpected argument '{arg}': flags begin with a dash")));
            continue;
        };
        let (name, inline) = match body.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (body, None),
        };
        let place = || format!("flag -{name}");
        let mut switch = |inline: &Option<String>| match inline.as_deref() {
            None | Some("true") => true,
            Some("false") => false,
            Some(other) => {
                problems.push(Problem::new(format!("flag -{name}"), format!("'{other}' is neither true nor false")));
                false
            }
        };
        let command = match name {
            "verify-config" => Some(Command::VerifyConfig),
            "version" => Some(Command::Version),
            "help" | "h" => Some(Command::Help),
            "list-targets" => Some(Command::ListTargets),
            _ => None,
        };
        if let Some(command) = command {
            if switch(&inline) {
                flags.command = command;
            }
            continue;
        }
        match name {
            "config.expand-env" => flags.expand_env = switch(&inline),
            "print-config-stderr" => flags.print_config = switch(&inline),
            _ => {
                // Like Go, a flag without a value is a switch; unlike Go the next argument is taken
                // when it cannot be a flag, which is what people expect of `-target ingester`.
                let value = inline.or_else(|| args.next_if(|next| !next.starts_with('-')));
                if name == "config.file" {
                    match value {
                        Some(files) => flags.files = files.split(',').map(|f| f.trim().to_owned()).collect(),
                        None => problems.push(Problem::new(place(), "needs a path")),
                    }
                } else {
                    let value = value.unwrap_or_else(|| "true".to_owned());
                    flags.settings.push(Setting { flag: name.to_owned(), path: path_of(name), value });
                }
            }
        }
    }
    if problems.is_empty() { Ok(flags) } else { Err(problems) }
}

/// The path of a flag in the file.
fn path_of(flag: &str) -> Vec<String> {
    let name = flag.replace('-', "_");
    let name = NAMED.iter().find(|(from, _)| *from == name).map_or(name.as_str(), |(_, to)| to);
    name.split('.').map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::{Command, Flags, parse};

    fn of(args: &str) -> Result<Flags, String> {
        parse(args.split_whitespace().map(str::to_owned)).map_err(|problems| problems[0].to_string())
    }

    #[test]
    fn dashes_values_and_switches() {
        for args in ["-config.file=a.yaml,b.yaml", "--config.file=a.yaml,b.yaml", "-config.file a.yaml,b.yaml"] {
            assert_eq!(of(args).unwrap().files, ["a.yaml", "b.yaml"], "{args}");
        }
        for (args, command) in [
            ("-version", Command::Version),
            ("--help", Command::Help),
            ("-h", Command::Help),
            ("-list-targets", Command::ListTargets),
            ("-verify-config -config.file=x", Command::VerifyConfig),
            ("-verify-config=false", Command::Run),
            ("", Command::Run),
        ] {
            assert_eq!(of(args).unwrap().command, command, "{args}");
        }
        assert!(of("-config.expand-env").unwrap().expand_env);
        assert!(!of("-config.expand-env=false").unwrap().expand_env);
        assert!(of("-print-config-stderr=true").unwrap().print_config);
    }

    #[test]
    fn settings_by_path() {
        let cases = [
            ("-target=ingester", "target", "ingester"),
            ("-target ingester,querier", "target", "ingester,querier"),
            ("-server.http-listen-port=3200", "server.http_listen_port", "3200"),
            ("--ingester.wal.dir=/x=y", "ingester.wal.dir", "/x=y"),
            ("-distributor.zone-awareness-enabled=true", "common.ring.zone_awareness_enabled", "true"),
            ("-ingester.availability-zone=zone-a", "ingester.lifecycler.availability_zone", "zone-a"),
            ("-ingester.unregister-on-shutdown=false", "ingester.lifecycler.unregister_on_shutdown", "false"),
            ("-ingester.tokens-file-path=/t", "ingester.lifecycler.tokens_file_path", "/t"),
            ("-auth_enabled", "auth_enabled", "true"),
        ];
        for (args, path, value) in cases {
            let flags = of(args).unwrap();
            assert_eq!(flags.settings.len(), 1, "{args}");
            assert_eq!((flags.settings[0].path.join(".").as_str(), flags.settings[0].value.as_str()), (path, value));
        }
    }

    #[test]
    fn refused() {
        let cases = [
            ("ingester", "unexpected argument 'ingester'"),
            ("-", "unexpected argument '-'"),
            ("-version=maybe", "neither true nor false"),
            ("-config.file", "needs a path"),
        ];
        for (args, text) in cases {
            let error = of(args).unwrap_err();
            assert!(error.contains(text), "{args}: {error}");
        }
    }
}

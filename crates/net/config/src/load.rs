//! From the command line to a checked configuration: defaults, then the file, then flags.

use std::{
    collections::HashSet,
    fs, io,
    path::{Path, PathBuf},
};

use yaml_serde::Value;

use crate::{
    Backend, Command, Config, ConfigError, Problem, env, flags,
    keys::{
        schema,
        walk::{Leaf, Walk, unknown},
    },
};

/// The outcome of loading.
#[derive(Clone, Debug, PartialEq)]
pub struct Loaded {
    /// What holds; complete, with every derived path filled in.
    pub config: Config,
    /// What the process is asked to do.
    pub command: Command,
    /// Keys that have no effect and similar: log each one once.
    pub warnings: Vec<Problem>,
    /// The file that was read; `None` means the defaults for a start without one.
    pub file: Option<PathBuf>,
    /// Whether the effective configuration is to be printed.
    pub print_config: bool,
}

impl Config {
    /// Reads the command line `args` (without the program's name) and the file it names, using the
    /// process's environment.
    ///
    /// # Errors
    /// Every problem of flags, file and their combination.
    pub fn load(args: impl IntoIterator<Item = String>) -> Result<Loaded, ConfigError> {
        Self::load_with(args, |name| std::env::var(name).ok(), read_file)
    }

    /// [`Config::load`] with the environment and the file system as arguments.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn load_with(
        args: impl IntoIterator<Item = String>,
        lookup: impl Fn(&str) -> Option<String>,
        read: impl Fn(&Path) -> io::Result<String>,
    ) -> Result<Loaded, ConfigError> {
        let flags = flags::parse(args).map_err(|problems| ConfigError { problems })?;
        let file = first_existing(&flags.files, &read)?;
        let mut base = if file.is_some() { Self::default() } else { Self::unconfigured() };
        // Such commands look at no configuration, so none may stop them.
        if matches!(flags.command, Command::Version | Command::Help | Command::ListTargets) {
            let (command, print_config) = (flags.command, flags.print_config);
            return Ok(Loaded { config: base, command, warnings: Vec::new(), file: None, print_config });
        }

        let tree = schema::of(&base);
        let mut merged = tree.clone();
        let mut set = HashSet::new();
        let mut problems = Vec::new();
        let mut warnings = Vec::new();
        if let Some((path, text)) = &file {
            let name = path.display().to_string();
            let expanded;
            let text = if flags.expand_env {
                expanded = env::expand(text, &lookup)
                    .map_err(|line| ConfigError::one(format!("{name} line {line}"), "'${' is never closed"))?;
                &expanded
            } else {
                text
            };
            let value = parse_yaml(&name, text)?;
            if let Some(backend) = schema_config_backend(&value) {
                base.storage_config.backend = backend;
                let path = ["storage_config".to_owned(), "backend".to_owned()];
                schema::set(&mut merged, &path, yaml_serde::to_value(backend).expect("an enum prints as its name"));
            }
            let mut walk = Walk::new(&tree, &name, text);
            walk.block(&[], &[], value);
            set.extend(walk.leaves.iter().map(|leaf| leaf.path.join(".")));
            problems.append(&mut walk.problems);
            warnings.append(&mut walk.warnings);
            apply(&mut merged, walk.leaves, &base, &mut problems);
        }
        let flag_leaves = flags.settings.iter().filter_map(|setting| match flag_leaf(&tree, setting) {
            Ok(leaf) => Some(leaf),
            Err(problem) => {
                problems.push(problem);
                None
            }
        });
        let flag_leaves: Vec<Leaf> = flag_leaves.collect();
        set.extend(flag_leaves.iter().map(|leaf| leaf.path.join(".")));
        apply(&mut merged, flag_leaves, &base, &mut problems);

        // With a type error somewhere the tree does not become a configuration; the errors say why.
        let mut config: Self = match yaml_serde::from_value(merged) {
            Ok(config) => config,
            Err(error) => {
                if problems.is_empty() {
                    problems.push(Problem::new("", error.to_string()));
                }
                return Err(ConfigError { problems });
            }
        };
        derive(&mut config, &set, &lookup);
        problems.extend(config.validate());
        warnings.extend(hints(&config));
        if !problems.is_empty() {
            return Err(ConfigError { problems });
        }
        let file = file.map(|(path, _)| path);
        Ok(Loaded { config, command: flags.command, warnings, file, print_config: flags.print_config })
    }
}

fn read_file(path: &Path) -> io::Result<String> {
    fs::read_to_string(path)
}

/// The first of `files` that exists, with its text; `None` when no file was asked for.
fn first_existing(
    files: &[String],
    read: impl Fn(&Path) -> io::Result<String>,
) -> Result<Option<(PathBuf, String)>, ConfigError> {
    for file in files {
        match read(Path::new(file)) {
            Ok(text) => return Ok(Some((PathBuf::from(file), text))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(ConfigError::one(file, format!("cannot be read: {error}"))),
        }
    }
    match files {
        [] => Ok(None),
        _ => Err(ConfigError::one("flag -config.file", format!("none of these exists: {}", files.join(", ")))),
    }
}

/// `text` as a tree, anchors and merge keys resolved.
pub(crate) fn parse_yaml(file: &str, text: &str) -> Result<Value, ConfigError> {
    let parsed = yaml_serde::from_str::<Value>(text).and_then(|mut value| {
        value.apply_merge()?;
        Ok(value)
    });
    parsed.map_err(|error| match error.location() {
        Some(at) => ConfigError::one(format!("{file} line {}", at.line()), error.to_string()),
        None => ConfigError::one(file, error.to_string()),
    })
}

/// Puts `leaves` into `tree`. Each is first tried alone on top of `base`, so that a wrong type is
/// reported with its place, and the others still hold.
pub(crate) fn apply(tree: &mut Value, leaves: Vec<Leaf>, base: &Config, problems: &mut Vec<Problem>) {
    let defaults = schema::of(base);
    // A setting's home wins over Loki's other name for it, wherever the two stand in the file.
    let (renamed, direct): (Vec<Leaf>, Vec<Leaf>) = leaves.into_iter().partition(|leaf| leaf.renamed);
    for leaf in renamed.into_iter().chain(direct) {
        let mut trial = defaults.clone();
        schema::set(&mut trial, &leaf.path, leaf.value.clone());
        match yaml_serde::from_value::<Config>(trial) {
            Ok(_) => schema::set(tree, &leaf.path, leaf.value),
            Err(error) => {
                let error = error.to_string();
                let path = format!("{}: ", leaf.path.join("."));
                let reason = error.strip_prefix(&path).unwrap_or(&error);
                problems.push(Problem::new(leaf.place, format!("{}: {reason}", leaf.written)));
            }
        }
    }
}

/// The setting a flag means.
fn flag_leaf(tree: &Value, setting: &flags::Setting) -> Result<Leaf, Problem> {
    let place = format!("flag -{}", setting.flag);
    let (path, renamed) = crate::keys::aliases::resolve(&setting.path);
    let default = match schema::node(tree, &path) {
        Some(Value::Mapping(_)) => return Err(Problem::new(place, "names a block of settings, not a setting")),
        Some(default) => default,
        None => return Err(Problem::new(place, unknown(tree, &setting.path, &path))),
    };
    let value = match default {
        Value::String(_) => Value::from(setting.value.as_str()),
        _ => yaml_serde::from_str(&setting.value).map_err(|error| Problem::new(&place, error.to_string()))?,
    };
    let value = schema::shaped(value, default);
    Ok(Leaf { path, value, place, written: setting.path.join("."), renamed })
}

/// The store that Loki's newest schema period names: the only part of `schema_config` that means something here.
fn schema_config_backend(file: &Value) -> Option<Backend> {
    let last = file.get("schema_config")?.get("configs")?.as_sequence()?.last()?;
    match last.get("object_store")?.as_str()? {
        "s3" | "aws" => Some(Backend::S3),
        "gcs" => Some(Backend::Gcs),
        "azure" => Some(Backend::Azure),
        "filesystem" => Some(Backend::Filesystem),
        _ => None,
    }
}

/// Fills in what follows from other settings, unless it was set itself.
fn derive(config: &mut Config, set: &HashSet<String>, lookup: impl Fn(&str) -> Option<String>) {
    let below = |path: &mut PathBuf, parent: &Path, name: &str| {
        if path.as_os_str().is_empty() {
            *path = parent.join(name);
        }
    };
    let prefix = config.common.path_prefix.clone();
    below(&mut config.ingester.wal.dir, &prefix, "wal");
    below(&mut config.storage_config.filesystem.directory, &prefix, "objects");
    let wal = config.ingester.wal.dir.clone();
    below(&mut config.ingester.lifecycler.tokens_file_path, &wal, "tokens");
    let store = &mut config.storage_config;
    if store.backend == Backend::Auto {
        store.backend = if !store.s3.bucketnames.is_empty() {
            Backend::S3
        } else if !store.gcs.bucket_name.is_empty() {
            Backend::Gcs
        } else if !store.azure.container_name.is_empty() {
            Backend::Azure
        } else {
            Backend::Filesystem
        };
    }
    if !set.contains("tracing.otlp_endpoint") {
        config.tracing.otlp_endpoint = lookup("OTEL_EXPORTER_OTLP_ENDPOINT").unwrap_or_default();
    }
    if config.common.ring.instance_id.is_empty() {
        let host = lookup("HOSTNAME").filter(|host| !host.is_empty());
        config.common.ring.instance_id = host.unwrap_or_else(|| "skald".to_owned());
    }
}

/// Settings that are allowed and yet may surprise.
fn hints(config: &Config) -> Vec<Problem> {
    let mut hints = Vec::new();
    let alone = config.memberlist.join_members.is_empty();
    if alone && config.common.replication_factor > 1 {
        let text = "memberlist.join_members is empty: until others join this process, common.replication_factor \
                    cannot be met and pushes fail; set it to 1 for a single process";
        hints.push(Problem::new("", text));
    }
    if alone && config.roles().len() < crate::Role::ALL.len() {
        let text = "memberlist.join_members is empty: this process finds the others only when they join it";
        hints.push(Problem::new("", text));
    }
    if !config.ingester.wal.fsync {
        hints.push(Problem::new("", "ingester.wal.fsync is off: a power cut may lose acknowledged lines"));
    }
    hints
}

//! The composition root: which parts a process is made of, in the order in which they start and stop.
//!
//! Read it from top to bottom: [`run`] (command line, runtime), `process` (ports, shared parts, the
//! roles, the way down), `assemble/` (one function per role). Everything is handed on as a value:
//! there are no globals, and no algorithm lives here.
//!
//! The program `skald` plays every role, or those of `-target`. Each role also has a program of its
//! own (`skald-distributor` …) that names only its own function in `assemble/`, so that the linker
//! leaves everything else out.

pub mod assemble;
mod banner;
mod identity;
mod local;
mod pages;
mod process;
mod resolver;
mod shared;
mod stores;

use std::{future::Future, pin::Pin, process::ExitCode};

use skald_config::{Command, Config, HELP, Loaded, Role, as_yaml, overrides};

use crate::process::Process;

/// Adds one role to a process.
pub type Assemble = for<'a> fn(&'a mut Process) -> Pin<Box<dyn Future<Output = anyhow::Result<()>> + Send + 'a>>;

/// A role that a program can play.
#[derive(Clone, Copy)]
pub struct Part {
    /// Which role.
    pub role: Role,
    /// What adds it.
    pub assemble: Assemble,
}

/// Runs a program that can play `parts`: those of them that `-target` names. A program of one part
/// plays it whatever the target.
pub fn run(parts: &[Part]) -> ExitCode {
    // Installing fails only when there is a provider already, which serves as well.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let loaded = match Config::load(std::env::args().skip(1)) {
        Ok(loaded) => loaded,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    if loaded.print_config {
        eprint!("{}", as_yaml(&loaded.config));
    }
    match loaded.command {
        Command::Run => start(parts, loaded),
        Command::VerifyConfig => verify(&loaded),
        Command::Version => {
            println!("skald, version {}", env!("CARGO_PKG_VERSION"));
            ExitCode::SUCCESS
        }
        Command::Help => {
            print!("{HELP}");
            ExitCode::SUCCESS
        }
        Command::ListTargets => {
            println!("all");
            Role::ALL.iter().for_each(|role| println!("{role}"));
            ExitCode::SUCCESS
        }
    }
}

/// Loading has checked the configuration; what is left is the file of limits per tenant that it names.
fn verify(loaded: &Loaded) -> ExitCode {
    let mut warnings = loaded.warnings.clone();
    let file = &loaded.config.runtime_config.file;
    if !file.as_os_str().is_empty() {
        let name = file.display().to_string();
        let checked = std::fs::read_to_string(file)
            .map_err(|error| format!("{name}: {error}"))
            .and_then(|text| overrides::parse(&name, &text, &loaded.config.limits_config).map_err(|e| e.to_string()));
        match checked {
            Ok((_, more)) => warnings.extend(more),
            Err(error) => {
                eprintln!("{error}");
                return ExitCode::FAILURE;
            }
        }
    }
    warnings.iter().for_each(|warning| eprintln!("warning: {warning}"));
    println!("config is valid");
    ExitCode::SUCCESS
}

fn start(parts: &[Part], loaded: Loaded) -> ExitCode {
    let wanted = loaded.config.roles();
    let playing: Vec<Part> = match parts {
        [one] => vec![*one],
        several => several.iter().copied().filter(|part| wanted.contains(&part.role)).collect(),
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("cannot start the runtime: {error}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(process::run(&playing, loaded)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "stopped");
            eprintln!("skald: {error:#}");
            ExitCode::FAILURE
        }
    }
}

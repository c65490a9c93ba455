//! `-verify-config` of the program: the files in `config/` are valid, and a mistake is named.

use std::process::{Command, Output};

use anyhow::{Context, Result, ensure};

fn verify(arguments: &[&str]) -> Result<Output> {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../..");
    let mut command = Command::new(env!("CARGO_BIN_EXE_skald"));
    command.args(arguments).args(["-config.expand-env", "-verify-config"]).current_dir(root);
    command.output().context("running skald")
}

#[test]
fn files_in_the_repository_are_valid() -> Result<()> {
    for arguments in [
        &["-config.file=config/single.yaml"][..],
        &["--config.file", "config/cluster.yaml"],
        &["-config.file=config/single.yaml", "-runtime_config.file=config/overrides.yaml"],
        &[],
    ] {
        let output = verify(arguments)?;
        ensure!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        ensure!(String::from_utf8_lossy(&output.stdout).contains("config is valid"), "{arguments:?}: says nothing");
    }
    Ok(())
}

#[test]
fn mistakes_are_named() -> Result<()> {
    let folder = tempfile::tempdir().context("a folder")?;
    let file = |name: &str, text: &str| -> Result<String> {
        let path = folder.path().join(name);
        std::fs::write(&path, text).context("a file")?;
        Ok(path.display().to_string())
    };
    let misspelt = file("a.yaml", "server:\n  http_listen_prot: 3100\n")?;
    let limits = file("b.yaml", "overrides:\n  t:\n    ingestion_rate: 4\n")?;
    for (arguments, part) in [
        (vec![format!("-config.file={misspelt}")], "line 2: unknown key 'server.http_listen_prot'"),
        (vec![format!("-runtime_config.file={limits}")], "ingestion_rate"),
        (vec!["-runtime_config.file=/nowhere.yaml".to_owned()], "/nowhere.yaml"),
        (vec!["-no.such.flag=1".to_owned()], "no.such.flag"),
    ] {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let output = verify(&arguments)?;
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(!output.status.success() && error.contains(part), "{arguments:?}: {error}");
    }
    Ok(())
}

//! Loading as tables: command line and file in, effective settings or problems out.

use std::{collections::HashMap, io, path::Path};

use crate::{Backend, Command, Config, Loaded, Role, as_yaml, diff_yaml, keys::schema, overrides};

/// Loads `args` with `file` as the content of every `.yaml` path.
fn load(args: &str, file: &str) -> Result<Loaded, String> {
    let env: HashMap<&str, &str> = [("BUCKET", "logs"), ("HOSTNAME", "host-1")].into();
    let read = |path: &Path| match path.extension() {
        Some(extension) if extension == "yaml" => Ok(file.to_owned()),
        _ => Err(io::ErrorKind::NotFound.into()),
    };
    let args = args.split_whitespace().map(str::to_owned);
    Config::load_with(args, |name| env.get(name).map(|v| (*v).to_owned()), read).map_err(|error| error.to_string())
}

#[test]
fn nothing_at_all_means_one_process() {
    let loaded = load("", "").unwrap();
    let config = &loaded.config;
    assert_eq!(loaded.file, None);
    assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
    assert!(!config.auth_enabled);
    assert_eq!(
        (config.limits_config.ingestion_rate_mb, config.limits_config.max_global_streams_per_user),
        (64.0, 200_000)
    );
    assert_eq!(config.common.replication_factor, 1);
    assert_eq!(config.storage_config.backend, Backend::Filesystem);
    assert_eq!(config.storage_config.filesystem.directory, Path::new("data/objects"));
    assert_eq!(config.ingester.wal.dir, Path::new("data/wal"));
    assert_eq!(config.ingester.lifecycler.tokens_file_path, Path::new("data/wal/tokens"));
    assert_eq!(config.common.ring.instance_id, "host-1");
    assert_eq!(config.roles(), Role::ALL);
}

#[test]
fn settings_from_file_and_flags() {
    // (flags, file, path of a setting, its effective value)
    let cases = [
        ("", "server: {http_listen_port: 3200}", "server.http_listen_port", "3200"),
        ("-server.http-listen-port=3300", "server: {http_listen_port: 3200}", "server.http_listen_port", "3300"),
        ("", "auth_enabled: yes", "auth_enabled", "true"),
        ("", "ingester:\n  wal:\n", "ingester.wal.fsync", "true"),
        ("", "common: {path_prefix: /x}", "ingester.wal.dir", "/x/wal"),
        ("", "common: {path_prefix: /x}\ningester: {wal: {dir: /y}}", "ingester.wal.dir", "/y"),
        ("", "common: {storage: {filesystem: {chunks_directory: /c}}}", "storage_config.filesystem.directory", "/c"),
        ("", "common: {storage: {s3: {bucketnames: 'a,b'}}}", "storage_config.backend", "s3"),
        ("", "storage_config: {aws: {bucketnames: a, region: eu}}", "storage_config.s3.region", "eu"),
        ("", "storage_config: {gcs: {bucket_name: a}}", "storage_config.backend", "gcs"),
        (
            "",
            "storage_config: {gcs: {bucket_name: a}, aws: {bucketnames: b}}\nschema_config: {configs: [{object_store: gcs}]}",
            "storage_config.backend",
            "gcs",
        ),
        ("", "ingester: {lifecycler: {ring: {replication_factor: 1}}}", "common.replication_factor", "1"),
        (
            "",
            "ingester: {lifecycler: {ring: {replication_factor: 1}}}\ncommon: {replication_factor: 5}",
            "common.replication_factor",
            "5",
        ),
        (
            "-distributor.zone-awareness-enabled=true",
            "target: distributor",
            "common.ring.zone_awareness_enabled",
            "true",
        ),
        ("-ingester.availability-zone=zone-a", "", "ingester.lifecycler.availability_zone", "zone-a"),
        ("-ingester.unregister-on-shutdown=false", "", "ingester.lifecycler.unregister_on_shutdown", "false"),
        ("-ingester.tokens-file-path=/var/t", "", "ingester.lifecycler.tokens_file_path", "/var/t"),
        (
            "-config.expand-env=true",
            "storage_config: {s3: {bucketnames: '${BUCKET}'}}",
            "storage_config.s3.bucketnames.0",
            "logs",
        ),
        ("", "memberlist: {join_members: 'a:1, b:2'}", "memberlist.join_members.1", "b:2"),
        ("", "cache: {redis: {password: 12345}}", "cache.redis.password", "<secret>"),
        ("", "limits_config: {max_line_size: 512KB}", "limits_config.max_line_size", "512KB"),
        ("", "limits_config: {max_line_size: 1024}", "limits_config.max_line_size", "1KB"),
        ("", "limits_config: {query_timeout: 5m}", "limits_config.query_timeout", "5m"),
        ("-limits_config.required-labels=a,b", "", "limits_config.required_labels.1", "b"),
        ("", "base: &b {memory_size: 1MB}\ncache:\n  <<: *b\n", "", "base"),
    ];
    for (flags, file, path, expect) in cases {
        let loaded = load(&format!("-config.file=c.yaml {flags}"), file);
        if path.is_empty() {
            assert!(loaded.unwrap_err().contains(expect), "{file}");
            continue;
        }
        let tree = schema::of(&loaded.unwrap_or_else(|error| panic!("{flags} {file}: {error}")).config);
        let value = path.split('.').fold(tree, |node, key| match key.parse::<usize>() {
            Ok(index) => node[index].clone(),
            Err(_) => node[key].clone(),
        });
        let got = yaml_serde::to_string(&value).unwrap();
        assert_eq!(got.trim().trim_matches('\''), expect, "{flags} {file} {path}");
    }
}

#[test]
fn lokis_keys_without_a_meaning_are_warnings() {
    let cases = [
        (
            "schema_config:\n  configs: [{from: 2024-01-01, store: tsdb}]",
            "c.yaml line 1: schema_config has no effect: ",
        ),
        ("ingester:\n  chunk_idle_period: 30m", "c.yaml line 2: ingester.chunk_idle_period has no effect: "),
        ("ingester: {wal: {enabled: false}}", "ingester.wal.enabled has no effect: the write-ahead log is always on"),
        ("ruler: {rule_path: /x}", "ruler has no effect"),
        ("analytics: {reporting_enabled: true}", "analytics has no effect"),
        ("limits_config:\n  retention_period: 744h", "c.yaml line 2: limits_config.retention_period has no effect"),
        ("common: {ring: {kvstore: {store: consul}}}", "common.ring.kvstore.store has no effect"),
        ("query_range: {results_cache: {cache: {embedded_cache: {enabled: true}}}}", "has no effect: all caches"),
        (
            "common: {storage: {s3: {http_config: {idle_conn_timeout: 90s}}}}",
            "common.storage.s3.http_config has no effect",
        ),
    ];
    for (file, expect) in cases {
        let warnings = load("-config.file=c.yaml", file).unwrap_or_else(|error| panic!("{file}: {error}")).warnings;
        let warnings: Vec<String> = warnings.iter().map(ToString::to_string).collect();
        assert!(warnings.iter().any(|w| w.contains(expect)), "{file}: {warnings:?}");
    }
    for silent in [
        "common: {ring: {kvstore: {store: memberlist}}, replication_factor: 1}",
        "ingester: {wal: {enabled: true}}\ncommon: {replication_factor: 1}",
        "limits_config: {retention_period: 0s, volume_enabled: true}\ncommon: {replication_factor: 1}",
    ] {
        assert!(load("-config.file=c.yaml", silent).unwrap().warnings.is_empty(), "{silent}");
    }
}

#[test]
fn every_problem_names_its_place() {
    // (flags, file, what the message holds)
    let cases: &[(&str, &str, &[&str])] = &[
        ("", "ingestr: {}", &["c.yaml line 1: unknown key 'ingestr', did you mean 'ingester'?"]),
        (
            "",
            "server:\n  http_listen_prot: 1\n  grpc_listen_port: x\ncommon:\n  replication_factor: 2\n",
            &[
                "CONFIG ERROR: c.yaml line 2: unknown key 'server.http_listen_prot', did you mean 'http_listen_port'?",
                "CONFIG ERROR: c.yaml line 3: server.grpc_listen_port: invalid type: string \"x\"",
                "CONFIG ERROR: common.replication_factor must be 1, 3 or 5",
            ],
        ),
        ("", "frobnicate: 1", &["unknown key 'frobnicate'"]),
        ("", "server: 5", &["c.yaml line 1: server is a block of settings, not a value"]),
        ("", "server: {log_level: loud}", &["unknown variant `loud`"]),
        ("", "ingester: {memtable_age: 5}", &["'5' is not a duration"]),
        ("", "a: [", &["c.yaml line"]),
        ("", "- a", &["the file is a block of settings, not a value"]),
        ("", "target: read", &["unknown variant `read`"]),
        ("", "storage_config: {backend: s3}", &["storage_config.s3.bucketnames must be set"]),
        ("", "server: {http_listen_port: 9095}", &["must differ"]),
        ("-serer.log_level=info", "", &["flag -serer.log_level: unknown key 'serer.log_level'"]),
        ("-server=1", "", &["flag -server: names a block"]),
        (
            "-server.http_listen_port=many",
            "",
            &["flag -server.http_listen_port: server.http_listen_port: invalid type"],
        ),
        ("-target=ingestr", "", &["flag -target: target"]),
        ("-config.expand-env", "a: 1\nb: ${X", &["c.yaml line 2: '${' is never closed"]),
    ];
    for (flags, file, texts) in cases {
        let error = load(&format!("-config.file=c.yaml {flags}"), file).unwrap_err();
        for text in *texts {
            assert!(error.contains(text), "{flags} {file}:\n{error}\nlacks {text}");
        }
    }
    assert!(load("-config.file=none.txt,none.json", "").unwrap_err().contains("none of these exists"));
}

#[test]
fn first_existing_file_and_commands() {
    let loaded = load("-config.file=none.txt,b.yaml -verify-config", "target: ingester").unwrap();
    assert_eq!((loaded.file.as_deref(), loaded.command), (Some(Path::new("b.yaml")), Command::VerifyConfig));
    assert_eq!(loaded.config.roles(), [Role::Ingester]);
    // A broken file does not keep anybody from reading the help.
    assert_eq!(load("-config.file=b.yaml -help", "[").unwrap().command, Command::Help);
}

#[test]
fn the_effective_configuration_reads_back_and_hides_secrets() {
    let file = "storage_config: {s3: {bucketnames: b, access_key_id: k, secret_access_key: hunter2}}";
    let config = load("-config.file=c.yaml", file).unwrap().config;
    let text = as_yaml(&config);
    assert!(!text.contains("hunter2") && text.contains("secret_access_key: <secret>"), "{text}");
    assert!(!format!("{config:?}").contains("hunter2"));
    let again = load("-config.file=c.yaml", &text.replace("<secret>", "hunter2")).unwrap();
    assert_eq!(again.config, config);

    let diff = diff_yaml(&config);
    assert!(diff.contains("bucketnames") && !diff.contains("http_listen_port"), "{diff}");
    assert_eq!(diff_yaml(&Config::default()), "{}\n");
}

#[test]
fn fewer_than_120_settings() {
    let settings = schema::leaves(&schema::of(&Config::default()));
    assert!(settings.len() < 120, "{} settings", settings.len());
}

#[test]
fn shipped_files_are_valid_without_warnings() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../config");
    let file = |name: &str| dir.join(name).display().to_string();
    let no_env = |_: &str| None;
    let read = |path: &Path| std::fs::read_to_string(path);

    let single = Config::load_with([format!("-config.file={}", file("single.yaml"))], no_env, read).unwrap();
    assert_eq!(single.warnings, []);
    assert_eq!(single.config.roles(), Role::ALL);
    assert_eq!(single.config.limits_config, skald_limits::Limits::unconfigured());

    for role in Role::ALL {
        let args = [
            format!("-config.file={}", file("cluster.yaml")),
            "-config.expand-env".to_owned(),
            format!("-target={role}"),
        ];
        let cluster = Config::load_with(args, no_env, read).unwrap();
        assert_eq!(cluster.warnings, []);
        assert_eq!(cluster.config.roles(), [role]);
        assert_eq!(cluster.config.storage_config.backend, Backend::S3);
        assert!(cluster.config.cache.redis.endpoint.is_empty());
    }

    let name = file("overrides.yaml");
    let text = std::fs::read_to_string(&name).unwrap();
    let (table, warnings) = overrides::parse(&name, &text, &single.config.limits_config).unwrap();
    assert_eq!(warnings, []);
    assert_eq!(table.tenants().count(), 3);
}

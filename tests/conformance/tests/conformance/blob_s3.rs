//! The S3 store against the kit's server: the suite, and what it says when the server misbehaves.

use bytes::Bytes;
use skald_blob::{BlobError, BlobStore, ProbeResult, S3Config, S3Store, probe_create_only};
use skald_conformance::blob::blob_suite;
use skald_testkit::s3::{ACCESS_KEY_ID, S3Server, SECRET_ACCESS_KEY, Verdict};

async fn server() -> (S3Server, S3Config) {
    let server = S3Server::start("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let config = S3Config {
        bucket: "logs".into(),
        endpoint: Some(server.endpoint.clone()),
        region: Some("us-east-1".into()),
        access_key_id: Some(ACCESS_KEY_ID.into()),
        secret_access_key: Some(SECRET_ACCESS_KEY.into()),
        path_style: true,
        allow_http: true,
        ..S3Config::default()
    };
    (server, config)
}

#[tokio::test(flavor = "multi_thread")]
async fn blob_s3() {
    let (server, config) = server().await;
    let store = S3Store::new(&config).unwrap();
    blob_suite(&store).await;
    // More keys than one page holds.
    let keys: Vec<String> = (0..1100).map(|i| format!("pages/{i:05}")).collect();
    for chunk in keys.chunks(50) {
        let puts = chunk.iter().map(|key| store.put(key, Bytes::from_static(b"x")));
        futures::future::try_join_all(puts).await.unwrap();
    }
    let before = server.handle.counts().of("GET");
    let found = store.list("pages/", Some("pages/00009"), 1085).await.unwrap();
    assert_eq!(found.iter().map(|m| &m.key).collect::<Vec<_>>(), keys[10..1095].iter().collect::<Vec<_>>());
    assert_eq!(server.handle.counts().of("GET") - before, 2);
    store.delete(&keys).await.unwrap();
    assert!(store.list("pages/", None, 1).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_create_is_sent_once_and_says_what_it_knows() {
    let (server, config) = server().await;
    let store = S3Store::new(&config).unwrap();
    // (fault, requests, answer, whether the object is there)
    let table = [
        (Verdict::Serve, 1, "ok", true),
        (Verdict::DropAnswer, 1, "ambiguous", true),
        (Verdict::DropRequest, 1, "ambiguous", false),
        (Verdict::FailAfter, 1, "ambiguous", true),
        (Verdict::Refuse, 2, "ok", true),
    ];
    for (i, (fault, requests, answer, there)) in table.into_iter().enumerate() {
        let key = format!("create/{i}");
        let before = server.handle.counts().of("PUT");
        server.handle.fail_next(u64::from(fault != Verdict::Serve), fault);
        let result = store.create(&key, Bytes::from_static(b"body")).await;
        let name = match &result {
            Ok(()) => "ok",
            Err(BlobError::Ambiguous { .. }) => "ambiguous",
            Err(_) => "other",
        };
        assert_eq!(name, answer, "{fault:?}: {result:?}");
        assert_eq!(server.handle.counts().of("PUT") - before, requests, "{fault:?}");
        assert_eq!(server.handle.object("logs", &key).is_some(), there, "{fault:?}");
    }
    server.handle.fail_all();
    let error = store.create("create/down", Bytes::from_static(b"body")).await.unwrap_err();
    assert!(matches!(error, BlobError::Throttled { .. }), "{error}");
    server.handle.heal();
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_and_overwrites_are_repeated() {
    let (server, config) = server().await;
    let store = S3Store::new(&config).unwrap();
    for fault in [Verdict::Refuse, Verdict::FailAfter] {
        server.handle.fail_next(2, fault);
        store.put("k", Bytes::from_static(b"body")).await.unwrap();
        server.handle.fail_next(2, fault);
        assert_eq!(store.get("k").await.unwrap(), Bytes::from_static(b"body"), "{fault:?}");
    }
    server.handle.fail_all();
    let error = store.get("k").await.unwrap_err();
    assert!(error.is_transient(), "{error}");
    let error = store.head("k").await.unwrap_err();
    assert!(error.is_transient(), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_secrets_and_dead_servers_are_told_apart() {
    let (server, config) = server().await;
    let wrong = S3Store::new(&S3Config { secret_access_key: Some("wrong".into()), ..config.clone() }).unwrap();
    let errors = [
        wrong.create("k", Bytes::from_static(b"x")).await.unwrap_err(),
        wrong.put("k", Bytes::from_static(b"x")).await.unwrap_err(),
        wrong.get("k").await.unwrap_err(),
        wrong.list("", None, 1).await.unwrap_err(),
    ];
    for error in errors {
        assert!(matches!(error, BlobError::Denied { .. }), "{error}");
        assert!(!error.to_string().contains("wrong"), "{error}");
    }
    drop(server);
    let store = S3Store::new(&config).unwrap();
    let error = store.create("k", Bytes::from_static(b"x")).await.unwrap_err();
    assert!(matches!(error, BlobError::Unavailable { .. }), "{error}");
    assert!(!error.to_string().contains("X-Amz-Signature"), "{error}");
    let found = probe_create_only(&store).await;
    assert!(matches!(found, ProbeResult::Unreachable(BlobError::Unavailable { .. })), "{found:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_comes_back_with_its_objects() {
    let (server, config) = server().await;
    let store = S3Store::new(&config).unwrap();
    store.create("k", Bytes::from_static(b"x")).await.unwrap();
    let (address, handle) = (server.address(), server.handle.clone());
    drop(server);
    let server = loop {
        // The port is free once the aborted task is gone.
        match S3Server::restart(address, handle.clone()).await {
            Ok(server) => break server,
            Err(_) => tokio::task::yield_now().await,
        }
    };
    assert_eq!(store.get("k").await.unwrap(), Bytes::from_static(b"x"));
    assert_eq!(server.handle.objects("logs"), [("k".to_owned(), 1)]);
}

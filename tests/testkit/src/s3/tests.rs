//! What only the wire shows: signatures and faults. What the server answers to a client is checked
//! by the conformance suite of the object store, which runs against it.

use super::*;

async fn server() -> (S3Server, reqwest::Client) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let server = S3Server::start("127.0.0.1:0".parse().unwrap()).await.unwrap();
    (server, reqwest::Client::new())
}

#[tokio::test]
async fn an_unsigned_request_is_denied() {
    let (server, client) = server().await;
    let answer = client.put(format!("{}/logs/k", server.endpoint)).body("x").send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 403);
    assert_eq!(server.handle.objects("logs"), []);
    assert_eq!(server.handle.counts().of("PUT"), 1);
}

#[tokio::test]
async fn faults_strike_as_often_as_asked() {
    let (server, client) = server().await;
    let url = format!("{}/logs/k", server.endpoint);
    server.handle.fail_next(2, Verdict::Refuse);
    for status in [503, 503, 403] {
        assert_eq!(client.get(&url).send().await.unwrap().status().as_u16(), status);
    }
    server.handle.decide(|method, path| match (method, path) {
        ("PUT", "/logs/k") => Verdict::DropRequest,
        _ => Verdict::FailAfter,
    });
    assert!(client.put(&url).body("x").send().await.is_err());
    assert_eq!(client.get(&url).send().await.unwrap().status().as_u16(), 500);
    assert_eq!(server.handle.counts().faults, 4);
    server.handle.heal();
    assert_eq!(client.get(&url).send().await.unwrap().status().as_u16(), 403);
}

#[tokio::test]
async fn a_paused_server_goes_on_where_it_was() {
    let (server, client) = server().await;
    server.handle.pause();
    let request = tokio::spawn(client.get(format!("{}/logs/k", server.endpoint)).send());
    while server.handle.counts().total() == 0 {
        tokio::task::yield_now().await;
    }
    assert!(!request.is_finished());
    server.handle.resume();
    assert_eq!(request.await.unwrap().unwrap().status().as_u16(), 403);
}

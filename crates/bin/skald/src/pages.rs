//! The pages about rings and gossip, on every process: each shows what *it* sees.

use std::sync::Arc;

use axum::{
    Router,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{Html, IntoResponse, Redirect, Response},
    routing::get,
};
use skald_gossip::{MemberlistStatus, RingStatus, forget_request, status_html, status_json};
use skald_ring::{COMPACTOR_RING, DISTRIBUTOR_RING, INDEX_GATEWAY_RING, INGESTER_RING, SCHEDULER_RING};
use skald_server::ApiError;

use crate::{process::Process, shared::Shared};

const PAGES: [(&str, &str); 5] = [
    ("/ring", INGESTER_RING),
    ("/distributor/ring", DISTRIBUTOR_RING),
    ("/indexgateway/ring", INDEX_GATEWAY_RING),
    ("/compactor/ring", COMPACTOR_RING),
    ("/scheduler/ring", SCHEDULER_RING),
];

/// Adds `/ring` and its siblings, and `/memberlist`.
pub(crate) fn add(process: &mut Process) {
    let mut router: Router<Arc<Shared>> = Router::new();
    for (path, ring) in PAGES {
        let show = move |State(shared): State<Arc<Shared>>, headers: HeaderMap| async move {
            let status = RingStatus::new(&shared.gossip, ring, &shared.ring);
            page(&headers, || status_json(&status), || status_html(&status))
        };
        let forget = move |State(shared): State<Arc<Shared>>, form: String| async move {
            let Some(id) = forget_request(&form) else {
                return Err(ApiError::push(StatusCode::BAD_REQUEST, "the form must hold forget=<instance id>"));
            };
            match shared.gossip.forget(ring, &id) {
                true => Ok(Redirect::to(path)),
                false => Err(ApiError::push(StatusCode::NOT_FOUND, format!("no instance {id} in this ring"))),
            }
        };
        router = router.route(path, get(show).post(forget));
    }
    let members = |State(shared): State<Arc<Shared>>, headers: HeaderMap| async move {
        let status = MemberlistStatus::new(&shared.gossip).await;
        page(&headers, || status.json(), || status.html())
    };
    let router = router.route("/memberlist", get(members)).with_state(Arc::clone(&process.shared));
    process.route(router);
    process.mount.links.push(("/ring", "the ring of ingesters"));
    process.mount.links.push(("/memberlist", "members of the cluster"));
}

/// JSON for programs that ask for it, HTML for people.
fn page(headers: &HeaderMap, json: impl FnOnce() -> String, html: impl FnOnce() -> String) -> Response {
    let wanted = headers.get(header::ACCEPT).and_then(|v| v.to_str().ok()).unwrap_or_default();
    match wanted.contains("application/json") {
        true => ([(header::CONTENT_TYPE, "application/json")], json()).into_response(),
        false => Html(html()).into_response(),
    }
}

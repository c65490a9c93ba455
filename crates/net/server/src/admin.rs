//! The pages every process has, whatever its roles.

use std::sync::Arc;

use axum::{
    Form, Json, Router,
    extract::{Query, State},
    response::{Html, IntoResponse, Response},
    routing::get,
};
use http::{StatusCode, header};
use serde::{Deserialize, Serialize};
use skald_config::{Config, LogLevel, as_yaml, diff_yaml};

use crate::{ApiError, METRICS_CONTENT_TYPE, ServerParts};

/// What the pages show.
pub(crate) struct Admin {
    pub(crate) parts: Arc<ServerParts>,
    /// Pages of the services, linked from `/`.
    pub(crate) links: Vec<(&'static str, &'static str)>,
}

/// The kit's own pages: path and what it shows.
const PAGES: [(&str, &str); 6] = [
    ("/ready", "whether this process is ready"),
    ("/services", "its services and their states"),
    ("/config", "its configuration, ?mode=diff shows what differs from the defaults"),
    ("/metrics", "its metrics"),
    ("/log_level", "its log level, POST log_level=debug changes it"),
    ("/loki/api/v1/status/buildinfo", "its version"),
];

/// The routes of the pages.
pub(crate) fn router(admin: Admin) -> Router {
    Router::new()
        .route("/", get(index))
        .route("/ready", get(ready))
        .route("/services", get(services))
        .route("/config", get(config))
        .route("/metrics", get(metrics))
        .route("/log_level", get(log_level).post(set_log_level))
        .route("/loki/api/v1/status/buildinfo", get(build_info))
        .with_state(Arc::new(admin))
}

async fn ready(State(admin): State<Arc<Admin>>) -> Response {
    match admin.parts.lifecycle.ready() {
        Ok(()) => plain("ready\n".to_owned()),
        // The text of "not Running" ends with a newline of its own.
        Err(reason) => ApiError::push(StatusCode::SERVICE_UNAVAILABLE, reason.trim_end().to_owned()).into_response(),
    }
}

async fn services(State(admin): State<Arc<Admin>>) -> Response {
    let services = admin.parts.lifecycle.services();
    plain(services.iter().map(|(name, state)| format!("{name} => {state}\n")).collect())
}

#[derive(Deserialize)]
struct ConfigQuery {
    #[serde(default)]
    mode: String,
}

async fn config(State(admin): State<Arc<Admin>>, Query(query): Query<ConfigQuery>) -> Response {
    match query.mode.as_str() {
        "" => plain(as_yaml(&admin.parts.config)),
        "diff" => plain(diff_yaml(&admin.parts.config)),
        "defaults" => plain(as_yaml(&Config::default())),
        mode => ApiError::push(StatusCode::BAD_REQUEST, format!("unknown mode '{mode}'")).into_response(),
    }
}

async fn metrics(State(admin): State<Arc<Admin>>) -> Response {
    let metrics = admin.parts.metrics.clone();
    // Encoding reads files below /proc and walks every series.
    match tokio::task::spawn_blocking(move || metrics.encode()).await {
        Ok(text) => ([(header::CONTENT_TYPE, METRICS_CONTENT_TYPE)], text).into_response(),
        Err(error) => ApiError::internal(error.to_string()).into_response(),
    }
}

#[derive(Serialize)]
struct LevelAnswer {
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'static str>,
    message: String,
}

async fn log_level(State(admin): State<Arc<Admin>>) -> Json<LevelAnswer> {
    let message = format!("Current log level is {}", admin.parts.log.level().name());
    Json(LevelAnswer { status: None, message })
}

#[derive(Deserialize)]
struct LevelForm {
    #[serde(default)]
    log_level: String,
}

async fn set_log_level(State(admin): State<Arc<Admin>>, Form(form): Form<LevelForm>) -> Response {
    match form.log_level.parse::<LogLevel>() {
        Ok(level) => {
            admin.parts.log.set_level(level);
            let message = format!("Log level set to {}", level.name());
            Json(LevelAnswer { status: Some("success"), message }).into_response()
        }
        Err(error) => {
            let answer = LevelAnswer { status: Some("failed"), message: error.to_string() };
            (StatusCode::BAD_REQUEST, Json(answer)).into_response()
        }
    }
}

async fn build_info(State(admin): State<Arc<Admin>>) -> Response {
    Json(&admin.parts.build).into_response()
}

async fn index(State(admin): State<Arc<Admin>>) -> Html<String> {
    let parts = &admin.parts;
    let prefix = &parts.config.server.http_path_prefix;
    let roles: Vec<&str> = parts.config.roles().into_iter().map(|role| role.name()).collect();
    let state = match parts.lifecycle.ready() {
        Ok(()) => "ready".to_owned(),
        Err(reason) => escaped(&reason),
    };
    let links: String = admin
        .links
        .iter()
        .chain(&PAGES)
        .map(|(path, what)| format!("<tr><td><a href=\"{prefix}{path}\">{path}</a></td><td>{what}</td></tr>\n"))
        .collect();
    Html(format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Skald</title>\n<style>\
         body{{font-family:system-ui,sans-serif;margin:2em;max-width:50em}}td{{padding:.2em 1em .2em 0}}</style></head>\n\
         <body><h1>Skald {version}</h1>\n<p>{roles} · {state}</p>\n<table>\n{links}</table>\n</body></html>\n",
        version = parts.build.version,
        roles = roles.join(", "),
    ))
}

fn plain(text: String) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

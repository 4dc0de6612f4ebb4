//! What admin answers, path by path.

use super::{PageContent, explain, guard::Refused, refusal};
use crate::{
    access_log::rfc3339,
    control::Command,
    state::State,
    telemetry::{dialect_families, families, prometheus, stats_text},
};
use bytes::Bytes;
use http::{Method, Response, StatusCode, header, request::Parts};
use http_body_util::Full;
use serde_json::{Value, json};
use sluice_core::shared::Limit;
use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Instant, SystemTime},
};

type Page = Response<Full<Bytes>>;

const HELP: &str = "\
Sluice admin. Everything is read with GET and changed with POST.

  GET  /                  this page
  GET  /ready             200 when traffic may come, else 503 and who is late
  GET  /healthz           200 as long as the process does its work
  GET  /stats             every number, one `name: value` a line
  GET  /metrics           the same for Prometheus, and in the words of others where that was asked for
  GET  /config_dump       the configuration in force, secrets left out, and why a newer one is not
  GET  /explain           where a request would go, and why: ?host=...&path=... (`sluice explain --admin`)
  GET  /clusters          clusters, their endpoints as resolved, and counters
  GET  /listeners         listeners and where they really listen, or why they do not
  GET  /logging           log levels; POST /logging?level=debug or ?sluice_proxy::dns=debug changes them
  POST /drain             finish what has begun, then end
";

/// Answers a request.
pub(super) async fn page(state: &Arc<State>, head: &Parts) -> Page {
    let path = head.uri.path();
    let post_only = path == "/drain";
    let both = path == "/logging";
    let read = matches!(head.method, Method::GET | Method::HEAD);
    let allow = match (post_only, both) {
        (true, _) => "POST",
        (_, true) => "GET, HEAD, POST",
        _ => "GET, HEAD",
    };
    let allowed =
        if post_only { head.method == Method::POST } else { read || (both && head.method == Method::POST) };
    let added =
        state.extension.as_deref().filter(|added| added.pages().iter().any(|(page, _)| *page == path));
    let known = added.is_some()
        || matches!(
            path,
            "/" | "/ready"
                | "/healthz"
                | "/stats"
                | "/metrics"
                | "/config_dump"
                | "/explain"
                | "/clusters"
                | "/listeners"
                | "/logging"
                | "/drain"
        );
    if known && !allowed {
        return refusal(&Refused {
            status: StatusCode::METHOD_NOT_ALLOWED,
            why: "changes are made with POST, everything else is read with GET",
            allow: Some(allow),
        });
    }
    match path {
        "/" => text(StatusCode::OK, help(state)),
        "/healthz" => match state.extension.as_deref().and_then(super::Extension::failure) {
            None => text(StatusCode::OK, "ok\n"),
            Some(why) => text(StatusCode::INTERNAL_SERVER_ERROR, format!("{why}\n")),
        },
        "/ready" => ready(state),
        "/stats" => text(StatusCode::OK, stats_text(&families(state))),
        "/metrics" => {
            let mut all = families(state);
            all.extend(dialect_families(state));
            typed(StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8", prometheus(&all))
        }
        "/config_dump" => json_page(&config_dump(state)),
        "/explain" => content(explain::page(state, head.uri.query().unwrap_or_default())),
        "/clusters" => json_page(&clusters(state)),
        "/listeners" => json_page(&listeners(state)),
        "/logging" if read => levels(state),
        "/logging" => set_levels(state, head.uri.query().unwrap_or_default()),
        "/drain" => drain(state).await,
        _ => match added {
            Some(added) => content(added.page(path, head.uri.query().unwrap_or_default())),
            None => text(StatusCode::NOT_FOUND, format!("There is no such page.\n\n{}", help(state))),
        },
    }
}

fn content(content: PageContent) -> Page {
    match content {
        PageContent::Json(body) => typed(StatusCode::OK, "application/json", body),
        PageContent::Text(body) => text(StatusCode::OK, body),
        PageContent::BadQuery(why) => text(StatusCode::BAD_REQUEST, format!("{why}\n")),
    }
}

fn help(state: &State) -> String {
    let added = state.extension.iter().flat_map(|added| added.pages());
    added.fold(HELP.to_owned(), |help, (path, what)| format!("{help}  GET  {path:<18} {what}\n"))
}

pub(super) fn text(status: StatusCode, body: impl Into<Bytes>) -> Page {
    typed(status, "text/plain; charset=utf-8", body)
}

fn typed(status: StatusCode, kind: &'static str, body: impl Into<Bytes>) -> Page {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    let fields = response.headers_mut();
    fields.insert(header::CONTENT_TYPE, header::HeaderValue::from_static(kind));
    fields.insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-store"));
    fields.insert(header::X_CONTENT_TYPE_OPTIONS, header::HeaderValue::from_static("nosniff"));
    response
}

fn json_page(value: &Value) -> Page {
    typed(StatusCode::OK, "application/json", format!("{value:#}\n"))
}

fn ready(state: &State) -> Page {
    let late = state.readiness.waiting_for();
    if late.is_empty() {
        text(StatusCode::OK, "ready\n")
    } else {
        text(StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {}\n", late.join(", ")))
    }
}

fn time(at: SystemTime) -> String {
    let mut out = Vec::new();
    rfc3339(at, &mut out);
    String::from_utf8_lossy(&out).into_owned()
}

fn config_dump(state: &State) -> Value {
    let published = state.published();
    let last_error =
        state.reloads.last_error().map(|error| json!({ "at": time(error.at), "message": error.message }));
    json!({
        "version": published.generation.snapshot.version(),
        "since": time(published.since),
        "last_error": last_error,
        "needs_restart": published.needs_restart,
        "config": serde_json::to_value(published.config.to_spec()).unwrap_or(Value::Null),
    })
}

fn listeners(state: &State) -> Value {
    let published = state.published();
    let bound = published.listeners.iter().map(|listener| {
        json!({
            "name": &*listener.name,
            "address": listener.address.to_string(),
            "connections": listener.state.connections(),
        })
    });
    let unbound = state.unbound.load();
    let unbound = unbound.iter().map(|listener| {
        json!({ "name": listener.name, "wanted": listener.address.to_string(), "error": listener.why })
    });
    bound.chain(unbound).collect()
}

fn clusters(state: &State) -> Value {
    let mut counts: BTreeMap<(Box<str>, std::net::SocketAddr), (u64, u64)> = BTreeMap::new();
    let mut open: BTreeMap<Box<str>, u64> = BTreeMap::new();
    for shard in &state.shards {
        shard.endpoints.each(|key, stats| {
            let (requests, errors) = counts.entry((key.cluster.clone(), key.address)).or_default();
            *requests += stats.requests.get();
            *errors += stats.errors.get();
        });
        shard.clusters.each(|name, stats| {
            *open.entry(name.clone()).or_default() += stats.opened.get().saturating_sub(stats.closed.get());
        });
    }
    let resolutions = state.dns.load_full();
    let published = state.published();
    let now = Instant::now();
    let mut names: Vec<_> = published.generation.snapshot.clusters().collect();
    names.sort_by(|one, other| one.name.cmp(&other.name));
    names
        .into_iter()
        .map(|cluster| {
            let endpoints: Vec<Value> = cluster
                .endpoints
                .endpoints()
                .iter()
                .enumerate()
                .map(|(place, endpoint)| {
                    let shared = cluster.shared.endpoint(place);
                    let (requests, errors) =
                        counts.get(&((&*cluster.name).into(), endpoint.address)).copied().unwrap_or_default();
                    json!({
                        "address": endpoint.address.to_string(),
                        "host": &*endpoint.host,
                        "weight": endpoint.weight,
                        "health": shared.map(|shared| shared.health(now).as_str()),
                        "ejections": shared.map(|shared| shared.ejections()),
                        "requests": requests,
                        "errors": errors,
                    })
                })
                .collect();
            let written = cluster.spec.endpoints.iter();
            let unresolved: Vec<Value> = resolutions
                .iter()
                .filter(|resolution| {
                    resolution.error.is_some()
                        && written.clone().any(|endpoint| {
                            endpoint.address.to_string().starts_with(&format!("{}:", resolution.name))
                        })
                })
                .map(|resolution| json!({ "name": &*resolution.name, "error": resolution.error.as_deref() }))
                .collect();
            let shared = cluster.shared.cluster();
            json!({
                "name": &*cluster.name,
                "connections": open.get(&*cluster.name).copied().unwrap_or_default(),
                "retries": shared.in_use(Limit::Retries),
                "retries_withheld": shared.retries_withheld(),
                "endpoints": endpoints,
                "unresolved": unresolved,
            })
        })
        .collect()
}

fn levels(state: &State) -> Page {
    match &state.logging {
        Some(logging) => text(StatusCode::OK, format!("{}\n", logging.levels())),
        None => no_logging(),
    }
}

/// `level=debug` replaces the whole filter; `target=level` pairs change single targets.
fn set_levels(state: &State, query: &str) -> Page {
    let Some(logging) = &state.logging else { return no_logging() };
    let mut filter = logging.levels();
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    let mut changed = false;
    for pair in pairs {
        let Some((target, level)) = pair.split_once('=') else {
            return text(StatusCode::BAD_REQUEST, "write ?level=info, or ?target=level\n");
        };
        if target == "level" {
            level.replace("%2C", ",").replace("%3D", "=").clone_into(&mut filter);
        } else {
            let others: Vec<&str> = filter
                .split(',')
                .filter(|directive| directive.split_once('=').is_none_or(|(name, _)| name != target))
                .collect();
            filter = format!("{},{target}={level}", others.join(","));
        }
        changed = true;
    }
    if !changed {
        return text(StatusCode::BAD_REQUEST, "write ?level=info, or ?target=level\n");
    }
    match logging.set_levels(&filter) {
        Ok(()) => levels(state),
        Err(error) => text(StatusCode::BAD_REQUEST, format!("{error}\n")),
    }
}

fn no_logging() -> Page {
    text(StatusCode::NOT_FOUND, "this process keeps its log elsewhere\n")
}

async fn drain(state: &State) -> Page {
    if state.commands.send(Command::Drain).await.is_ok() {
        text(StatusCode::ACCEPTED, "draining\n")
    } else {
        text(StatusCode::SERVICE_UNAVAILABLE, "ending already\n")
    }
}

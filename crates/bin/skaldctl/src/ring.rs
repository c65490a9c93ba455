//! `ring`: who is in a ring, and how each of them does.

use std::io::{self, Write};

use jiff::Timestamp;
use serde::Deserialize;

use crate::{
    cli::RingArgs,
    error::of_output,
    output::Palette,
    session::Session,
    table::{self, Align},
};

/// A ring's page as JSON. Everything beyond Loki's own fields may be missing.
#[derive(Debug, Deserialize)]
struct Ring {
    #[serde(default)]
    shards: Vec<Member>,
    #[serde(default)]
    now: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Member {
    id: String,
    state: String,
    address: String,
    zone: String,
    /// Of the last heartbeat.
    timestamp: String,
    read_only: bool,
    ownership: Option<f64>,
    writer: String,
    last_seq: u64,
    version: String,
}

/// Runs `ring`.
///
/// # Errors
/// When the server cannot be asked, refuses, or the output takes no more.
pub(crate) async fn run(session: &Session, args: &RingArgs) -> anyhow::Result<()> {
    let ring: Ring = session.client.get(&path(&args.ring), Vec::new()).await?;
    let text = text(&ring, session.palette);
    io::stdout().write_all(text.as_bytes()).map_err(of_output)?;
    session.notes.say(&format!("{} of {} members active", active(&ring), ring.shards.len()));
    Ok(())
}

/// Where Loki's processes, and ours, show each ring.
fn path(ring: &str) -> String {
    match ring {
        "ingester" => "ring".to_owned(),
        "index-gateway" => "indexgateway/ring".to_owned(),
        "query-scheduler" => "scheduler/ring".to_owned(),
        other => format!("{other}/ring"),
    }
}

fn active(ring: &Ring) -> usize {
    ring.shards.iter().filter(|member| member.state.eq_ignore_ascii_case("active")).count()
}

fn text(ring: &Ring, palette: Palette) -> String {
    let heads = [
        ("ID", Align::Left),
        ("STATE", Align::Left),
        ("ZONE", Align::Left),
        ("ADDRESS", Align::Left),
        ("HEARTBEAT", Align::Right),
        ("OWNS", Align::Right),
        ("LOG", Align::Left),
        ("VERSION", Align::Left),
    ];
    let plain = anstyle::Style::new();
    let row = |member: &Member| {
        let healthy = member.state.eq_ignore_ascii_case("active");
        let state = if member.read_only { format!("{} (read-only)", member.state) } else { member.state.clone() };
        let log =
            if member.writer.is_empty() { String::new() } else { format!("{}/{}", member.writer, member.last_seq) };
        let owns = member.ownership.map_or_else(|| "-".to_owned(), |percent| format!("{percent:.1} %"));
        let state_style = if healthy { plain } else { palette.alarm() };
        vec![
            (member.id.clone(), plain),
            (state, state_style),
            (or_dash(&member.zone), plain),
            (member.address.clone(), plain),
            (age(&member.timestamp, &ring.now), plain),
            (owns, plain),
            (or_dash(&log), plain),
            (or_dash(&member.version), plain),
        ]
    };
    let rows: Vec<_> = ring.shards.iter().map(row).collect();
    table::render(&heads, &rows, palette.heading())
}

fn or_dash(text: &str) -> String {
    if text.is_empty() { "-".to_owned() } else { text.to_owned() }
}

/// By the server's own clock, which may differ from ours; what is no time is shown as it came.
fn age(heartbeat: &str, now: &str) -> String {
    match (heartbeat.parse::<Timestamp>(), now.parse::<Timestamp>()) {
        (Ok(heartbeat), Ok(now)) => {
            let seconds = now.duration_since(heartbeat).as_secs();
            match seconds {
                ..120 => format!("{seconds}s ago"),
                120..7200 => format!("{}m ago", seconds / 60),
                _ => format!("{}h ago", seconds / 3600),
            }
        }
        _ => or_dash(heartbeat),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_ring_and_lokis() {
        let ours = r#"{"ring":"ingester","now":"2024-01-01T00:01:00Z","shards":[
            {"id":"ing-0","state":"ACTIVE","address":"10.0.0.1:9095","http_address":"","zone":"a","tokens":[7],
             "timestamp":"2024-01-01T00:00:57Z","registered_timestamp":"","read_only":true,"ownership":50.04,
             "writer":"w1","last_seq":12,"version":"0.1.0"},
            {"id":"ing-1","state":"UNHEALTHY","address":"10.0.0.2:9095","zone":"","timestamp":"2023-12-31T23:00:00Z"}]}"#;
        let ring: Ring = serde_json::from_str(ours).unwrap();
        assert_eq!(
            text(&ring, Palette::new(false)),
            "ID     STATE               ZONE  ADDRESS        HEARTBEAT    OWNS  LOG    VERSION\n\
             ing-0  ACTIVE (read-only)  a     10.0.0.1:9095     3s ago  50.0 %  w1/12  0.1.0\n\
             ing-1  UNHEALTHY           -     10.0.0.2:9095    61m ago       -  -      -\n"
        );
        assert_eq!(active(&ring), 1);
        assert!(text(&ring, Palette::new(true)).contains("\u{1b}[31mUNHEALTHY\u{1b}[0m"));
    }

    #[test]
    fn paths() {
        for (ring, expect) in
            [("ingester", "ring"), ("distributor", "distributor/ring"), ("query-scheduler", "scheduler/ring")]
        {
            assert_eq!(path(ring), expect);
        }
    }
}

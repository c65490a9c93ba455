//! What the `/ring` and `/memberlist` pages show: one data model each, as JSON and as plain HTML.
//!
//! The ring's JSON has the fields of Loki's page (`shards`, `now`), so that scripts written for it go
//! on working. Forgetting is a form that posts `forget=<id>` to the page's own address; the routes are
//! the server's affair.

use crate::Gossip;
use jiff::Timestamp;
use serde::Serialize;
use skald_ring::{Member, RingConfig, RingView};
use std::fmt::Write;

/// How many keys per member the shown ownership is estimated from: a share is then off by 1 % of itself.
const OWNERSHIP_SAMPLES_PER_MEMBER: u32 = 10_000;
/// But no more keys in all than this, so that a page costs milliseconds.
const OWNERSHIP_SAMPLES_MAX: u32 = 200_000;

/// One ring as its page shows it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RingStatus {
    /// The ring's name.
    pub ring: String,
    /// Its members in the order of their ids.
    pub shards: Vec<RingMemberStatus>,
    /// When this was written, RFC 3339.
    pub now: String,
}

/// One member as the ring's page shows it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RingMemberStatus {
    /// Its id.
    pub id: String,
    /// Its state, or `UNHEALTHY` when it is silent for too long.
    pub state: String,
    /// Its gRPC address.
    pub address: String,
    /// Its HTTP address.
    pub http_address: String,
    /// Its zone.
    pub zone: String,
    /// Its last heartbeat by its own clock, RFC 3339.
    pub timestamp: String,
    /// Since when it takes part, RFC 3339; empty when it never has.
    pub registered_timestamp: String,
    /// True when it takes no new writes.
    pub read_only: bool,
    /// Since when, RFC 3339; empty when it does.
    pub read_only_updated_timestamp: String,
    /// Its tokens; one is all that placement needs.
    pub tokens: Vec<u32>,
    /// The share of keys it is the first replica of, in percent.
    pub ownership: f64,
    /// The log it writes, empty for none.
    pub writer: String,
    /// The newest object of that log it reported.
    pub last_seq: u64,
    /// The software version.
    pub version: String,
}

impl RingStatus {
    /// The ring's status of this moment.
    pub fn new(gossip: &Gossip, ring: &str, config: &RingConfig) -> Self {
        let view = gossip.view(ring, config);
        Self { ring: ring.to_owned(), shards: shards(&view), now: rfc3339(gossip.now_ms()) }
    }
}

fn shards(view: &RingView) -> Vec<RingMemberStatus> {
    let samples = OWNERSHIP_SAMPLES_PER_MEMBER.saturating_mul(view.members().len() as u32);
    let shares = view.ownership(samples.min(OWNERSHIP_SAMPLES_MAX));
    view.members().iter().zip(shares).map(|(member, share)| shard(member, share)).collect()
}

fn shard(member: &Member, share: f64) -> RingMemberStatus {
    let instance = &member.instance;
    RingMemberStatus {
        id: instance.id.clone(),
        state: if member.healthy { instance.state.name() } else { "UNHEALTHY" }.to_owned(),
        address: instance.addr.clone(),
        http_address: instance.http_addr.clone(),
        zone: instance.zone.clone(),
        timestamp: rfc3339(instance.heartbeat_ms),
        registered_timestamp: if instance.registered_ms == 0 { String::new() } else { rfc3339(instance.registered_ms) },
        read_only: instance.read_only_since_ms.is_some(),
        read_only_updated_timestamp: instance.read_only_since_ms.map(rfc3339).unwrap_or_default(),
        tokens: vec![instance.token],
        ownership: (share * 10_000.0).round() / 100.0,
        writer: instance.writer.as_ref().map(ToString::to_string).unwrap_or_default(),
        last_seq: instance.last_seq,
        version: instance.version.clone(),
    }
}

/// The gossip layer as its page shows it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MemberlistStatus {
    /// This process's name; empty without a network.
    pub name: String,
    /// The processes that gossip.
    pub members: Vec<crate::Node>,
    /// The rings that are known.
    pub rings: Vec<String>,
    /// The newest object of every log, as far as reported.
    pub heads: Vec<(String, u64)>,
    /// The newest generation of every shard, as far as reported.
    pub generations: Vec<(String, u64)>,
    /// When this was written, RFC 3339.
    pub now: String,
}

impl MemberlistStatus {
    /// The status of this moment.
    pub async fn new(gossip: &Gossip) -> Self {
        let state = gossip.snapshot();
        Self {
            name: gossip.name().unwrap_or_default().to_owned(),
            members: gossip.members().await,
            rings: state.names().map(str::to_owned).collect(),
            heads: state.heads().iter().map(|(writer, seq)| (writer.to_string(), seq)).collect(),
            generations: state.generations().map(|(shard, generation)| (shard.to_owned(), generation)).collect(),
            now: rfc3339(gossip.now_ms()),
        }
    }

    /// The page as JSON.
    pub fn json(&self) -> String {
        json(self)
    }

    /// The page as HTML.
    pub fn html(&self) -> String {
        let mut page = page("Gossip", &self.now);
        let rows = self.members.iter().map(|m| vec![m.name.clone(), m.addr.clone(), m.state.clone()]);
        table(&mut page, &["Name", "Address", "State"], rows);
        let rows = self.heads.iter().map(|(writer, seq)| vec![writer.clone(), seq.to_string()]);
        table(&mut page, &["Log", "Newest object"], rows);
        let rows = self.generations.iter().map(|(shard, generation)| vec![shard.clone(), generation.to_string()]);
        table(&mut page, &["Shard", "Generation"], rows);
        page.push_str("</body></html>\n");
        page
    }
}

/// The ring's page as JSON.
pub fn status_json(status: &RingStatus) -> String {
    json(status)
}

/// The ring's page as HTML, with a button to forget each member.
pub fn status_html(status: &RingStatus) -> String {
    let mut out = page(&format!("Ring: {}", status.ring), &status.now);
    out.push_str("<form method=\"post\"><table><tr>");
    for head in ["Instance", "State", "Address", "Zone", "Registered", "Last heartbeat", "Read-only", "Ownership", ""] {
        push(&mut out, format_args!("<th>{head}</th>"));
    }
    out.push_str("</tr>\n");
    for shard in &status.shards {
        push(&mut out, format_args!("<tr class=\"{}\">", escape(&shard.state)));
        let ownership = format!("{:.2} %", shard.ownership);
        for cell in [
            &shard.id,
            &shard.state,
            &shard.address,
            &shard.zone,
            &shard.registered_timestamp,
            &shard.timestamp,
            &shard.read_only_updated_timestamp,
            &ownership,
        ] {
            push(&mut out, format_args!("<td>{}</td>", escape(cell)));
        }
        push(
            &mut out,
            format_args!("<td><button name=\"forget\" value=\"{}\">Forget</button></td></tr>\n", escape(&shard.id)),
        );
    }
    out.push_str("</table></form></body></html>\n");
    out
}

/// The id in the posted form of the ring's page (`forget=<id>`, percent-encoded); `None` when there is none.
pub fn forget_request(form: &str) -> Option<String> {
    let value = form.split('&').find_map(|pair| pair.strip_prefix("forget="))?;
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || char::from(rest.next()?).to_digit(16);
                (digit()? * 16 + digit()?) as u8
            }
            other => other,
        });
    }
    String::from_utf8(bytes).ok().filter(|id| !id.is_empty())
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("structs of strings and numbers always serialise")
}

fn page(title: &str, now: &str) -> String {
    let title = escape(title);
    format!(
        "<!doctype html><html><head><meta charset=\"utf-8\"><title>{title}</title><style>\
         body{{font-family:sans-serif;margin:2em}}table{{border-collapse:collapse;margin-bottom:1em}}\
         td,th{{padding:.3em .8em;border-bottom:1px solid #ddd;text-align:left}}.UNHEALTHY{{background:#fdd}}\
         </style></head><body><h1>{title}</h1><p>Current time: {}</p>\n",
        escape(now)
    )
}

fn table(out: &mut String, heads: &[&str], rows: impl Iterator<Item = Vec<String>>) {
    out.push_str("<table><tr>");
    for head in heads {
        push(out, format_args!("<th>{head}</th>"));
    }
    out.push_str("</tr>\n");
    for row in rows {
        out.push_str("<tr>");
        for cell in row {
            push(out, format_args!("<td>{}</td>", escape(&cell)));
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</table>\n");
}

fn push(out: &mut String, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("writing to a String does not fail");
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// Clocks beyond the calendar (a peer's clock may say anything) are shown as the plain number.
fn rfc3339(ms: u64) -> String {
    let known = i64::try_from(ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
    known.map_or_else(|| ms.to_string(), |time| time.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use skald_ring::{Instance, State};
    use std::sync::Arc;

    fn status() -> RingStatus {
        let gossip = Gossip::in_process(Arc::new(|| 1_000_000));
        let mut instance = Instance::new("ingester", "a<b>\"", "127.0.0.1:9095");
        (instance.state, instance.registered_ms, instance.token) = (State::Active, 5000, 7);
        gossip.update("ingester", instance).unwrap();
        RingStatus::new(&gossip, "ingester", &RingConfig::default())
    }

    #[test]
    fn json_has_lokis_fields() {
        let value: serde_json::Value = serde_json::from_str(&status_json(&status())).unwrap();
        assert_eq!(value["now"], "1970-01-01T00:16:40Z");
        let shard = &value["shards"][0];
        for (field, expect) in [
            ("state", serde_json::json!("ACTIVE")),
            ("address", "127.0.0.1:9095".into()),
            ("timestamp", "1970-01-01T00:16:40Z".into()),
            ("registered_timestamp", "1970-01-01T00:00:05Z".into()),
            ("read_only", false.into()),
            ("tokens", serde_json::json!([7])),
            ("ownership", 100.0.into()),
        ] {
            assert_eq!(shard[field], expect, "{field}");
        }
    }

    #[test]
    fn html_escapes_what_others_wrote() {
        let html = status_html(&status());
        assert!(html.contains("value=\"a&lt;b&gt;&quot;\"") && !html.contains("a<b>"), "{html}");
    }

    #[test]
    fn forget_forms_are_decoded() {
        let cases = [
            ("forget=ingester-0", Some("ingester-0")),
            ("x=1&forget=a%3Cb%3e+c", Some("a<b> c")),
            ("forget=", None),
            ("forget=%4", None),
            ("forget=%zz", None),
            ("forget=%ff", None),
            ("", None),
        ];
        for (form, expect) in cases {
            assert_eq!(forget_request(form).as_deref(), expect, "{form}");
        }
    }

    #[test]
    fn any_clock_can_be_shown() {
        assert_eq!(rfc3339(u64::MAX), u64::MAX.to_string());
    }
}

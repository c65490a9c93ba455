//! Whole tasks against ingesters and gateways in the test's hands, and real segments in a bucket in memory.

mod fakes;
mod live;

use skald_wire::pb::{self, query_task::Task, task_outcome::Outcome};

use fakes::{Place, Row, SECOND, WINDOW, World, row};

/// A log task over two windows.
fn log_task(backward: bool, limit: u64) -> pb::LogTask {
    let query = "{app=~\".+\"}".to_owned();
    pb::LogTask { query, from_ns: WINDOW, to_ns: WINDOW + 14_400 * SECOND, limit, backward, interval_ns: 0 }
}

/// `(stream, time, line)` of all entries, streams as they came, entries in their order.
async fn lines(world: &World, task: pb::LogTask) -> Vec<(String, i64, String)> {
    match world.run(Task::Log(task)).await {
        Outcome::Log(outcome) => fakes::shown(outcome),
        other => panic!("not a log outcome: {other:?}"),
    }
}

async fn count(world: &World) -> f64 {
    let end_ns = WINDOW + 14_400 * SECOND - 1;
    let query = "sum(count_over_time({app=~\".+\"}[4h]))".to_owned();
    match world.run(Task::Metric(pb::MetricTask { query, start_ns: end_ns, end_ns, step_ns: 0 })).await {
        Outcome::Metric(outcome) => outcome.series.first().map_or(0.0, |s| s.values[0]),
        other => panic!("not a metric outcome: {other:?}"),
    }
}

async fn error(world: &World, task: Task) -> (u32, String) {
    match world.run(task).await {
        Outcome::Error(error) => (error.status, error.message),
        other => panic!("not an error: {other:?}"),
    }
}

/// Rows of a few streams over two windows, each with its copies wherever `place` says.
fn rows(place: impl Fn(usize) -> Vec<Place>) -> Vec<(Row, Vec<Place>)> {
    let spread = |i: usize| {
        // Every fifth timestamp is shared; lines repeat at other times.
        let time = WINDOW + (i as i64 / 5 * 5 % 1_400) * 10 * SECOND;
        row(["a", "b", "c"][i % 3], time, i as u64, &format!("line {}", i % 50 + i / 700 * 1000))
    };
    (0..1_400).map(|i| (spread(i), place(i))).collect()
}

/// Where the copies of a row may be while it moves from memory to a folded segment.
fn journey(i: usize) -> Vec<Place> {
    use Place::{Flushed, Folded, Memory};
    match i % 7 {
        0 => vec![Memory(0), Memory(1), Memory(2)],
        1 => vec![Flushed(0), Memory(1), Memory(2)],
        2 => vec![Flushed(0), Flushed(1), Flushed(2)],
        3 => vec![Folded, Flushed(1), Flushed(2)],
        4 => vec![Folded, Memory(1), Flushed(2)],
        5 => vec![Folded],
        _ => vec![Memory(0), Flushed(2)],
    }
}

fn expected(rows: &[(Row, Vec<Place>)]) -> Vec<(String, i64, String)> {
    let mut all: Vec<_> = rows.iter().map(|(r, _)| (r.app.clone(), r.time, r.line.clone())).collect();
    all.sort();
    all
}

#[tokio::test]
async fn every_row_comes_once_wherever_its_copies_are() {
    let rows = rows(journey);
    let world = World::new(&rows).await;
    for backward in [false, true] {
        let mut got = lines(&world, log_task(backward, 5_000)).await;
        assert!(fakes::in_direction(&got, backward));
        got.sort();
        assert_eq!(got, expected(&rows));
    }
    assert_eq!(count(&world).await, 1_400.0);
}

#[tokio::test]
async fn folded_rows_are_counted_from_the_columns_needed() {
    let rows = rows(|_| vec![Place::Folded]);
    let world = World::new(&rows).await;
    assert_eq!(count(&world).await, 1_400.0);
}

#[tokio::test]
async fn a_limit_takes_the_first_rows_of_the_direction() {
    let rows = rows(journey);
    let world = World::new(&rows).await;
    for backward in [false, true] {
        let mut times: Vec<i64> = rows.iter().map(|(r, _)| r.time).collect();
        times.sort_unstable();
        if backward {
            times.reverse();
        }
        let mut got: Vec<i64> =
            lines(&world, log_task(backward, 12)).await.into_iter().map(|(_, time, _)| time).collect();
        got.sort_unstable();
        let mut expect = times[..12].to_vec();
        expect.sort_unstable();
        assert_eq!(got, expect, "backward {backward}");
    }
}

#[tokio::test]
async fn equal_timestamps_keep_the_order_of_arrival() {
    // A thousand lines at one time; a metadata pair on some, which splits the streams of the answer.
    for places in
        [[Place::Memory(0), Place::Memory(2)], [Place::Flushed(1), Place::Memory(0)], [Place::Folded, Place::Folded]]
    {
        let rows: Vec<_> = (0..1_000u64)
            .map(|i| (row("a", WINDOW + SECOND, 7_000 + i, &format!("{i:04}")), places.to_vec()))
            .collect();
        let world = World::new(&rows).await;
        let mut expect: Vec<String> = (0..1_000).map(|i| format!("{i:04}")).collect();
        for backward in [false, true] {
            let got: Vec<String> =
                lines(&world, log_task(backward, 5_000)).await.into_iter().map(|(_, _, line)| line).collect();
            assert_eq!(got, expect, "{places:?} backward {backward}");
            expect.reverse();
        }
    }
}

#[tokio::test]
async fn one_dead_ingester_of_three_is_made_up_for_two_are_not() {
    let rows = rows(|i| {
        let copies = [
            [Place::Memory(0), Place::Memory(1)],
            [Place::Memory(1), Place::Memory(2)],
            [Place::Memory(2), Place::Memory(0)],
        ];
        copies[i % 3].to_vec()
    });
    let world = World::new(&rows).await;
    world.kill(1);
    assert_eq!(count(&world).await, 1_400.0);
    assert_eq!(lines(&world, log_task(true, 5_000)).await.len(), 1_400);
    world.kill(2);
    let (status, message) = error(&world, Task::Log(log_task(true, 100))).await;
    assert_eq!(status, 500, "{message}");
    assert!(message.starts_with("too many ingesters failed to answer"), "{message}");
}

#[tokio::test]
async fn an_ingester_lost_in_the_middle_is_left_out_once() {
    let rows = rows(|_| vec![Place::Memory(0), Place::Memory(1), Place::Memory(2)]);
    let world = World::new(&rows).await;
    world.break_answers(1);
    assert_eq!(count(&world).await, 1_400.0);
    assert_eq!(lines(&world, log_task(false, 5_000)).await.len(), 1_400);
    world.break_answers(2);
    assert_eq!(error(&world, Task::Log(log_task(false, 5_000))).await.0, 500);
}

#[tokio::test]
async fn a_vanished_object_means_a_new_view() {
    let rows = rows(|_| vec![Place::Folded]);
    let world = World::new(&rows).await;
    world.answer_once_with_vanished_object();
    assert_eq!(count(&world).await, 1_400.0);
    world.answer_once_with_vanished_object();
    assert_eq!(lines(&world, log_task(false, 5_000)).await.len(), 1_400);
    world.answer_always_with_vanished_object();
    assert_eq!(error(&world, Task::Log(log_task(false, 100))).await.0, 500);
}

#[tokio::test]
async fn a_gateway_that_lags_is_brought_up_by_the_need() {
    let rows = rows(|_| vec![Place::Flushed(0), Place::Flushed(1)]);
    let world = World::new(&rows).await;
    // Without a need that names them, the gateway shows no flushed objects.
    world.gateway_lags();
    assert_eq!(count(&world).await, 1_400.0);
    assert_eq!(lines(&world, log_task(false, 5_000)).await.len(), 1_400);
    world.gateway_cannot_catch_up();
    assert_eq!(error(&world, Task::Log(log_task(false, 100))).await.0, 500);
}

#[tokio::test]
async fn freshness_follows_commits_and_memory() {
    async fn fresh(world: &World) -> (u64, bool) {
        let selection = pb::Selection {
            tenant: String::new(),
            matchers: "{}".into(),
            from_ns: WINDOW,
            to_ns: WINDOW + 14_400 * SECOND,
        };
        match world.run(Task::Freshness(selection)).await {
            Outcome::Freshness(f) => (f.fingerprint, f.rows_in_memory),
            other => panic!("not a freshness outcome: {other:?}"),
        }
    }
    let flushed = World::new(&rows(|_| vec![Place::Flushed(0)])).await;
    let folded = World::new(&rows(|_| vec![Place::Folded])).await;
    let both = World::new(&rows(|_| vec![Place::Flushed(0), Place::Flushed(1)])).await;
    let memory = World::new(&rows(|_| vec![Place::Memory(1)])).await;
    assert!(!fresh(&flushed).await.1);
    // The folded segment comes from the first writer's object.
    assert_eq!(fresh(&flushed).await, fresh(&folded).await);
    assert_ne!(fresh(&flushed).await.0, fresh(&both).await.0);
    assert!(fresh(&memory).await.1);
}

#[tokio::test]
async fn streams_are_exact_and_copies_count_once() {
    let rows = rows(|i| match i % 3 {
        0 => vec![Place::Memory(0), Place::Memory(1), Place::Memory(2)],
        1 => vec![Place::Flushed(0), Place::Flushed(1), Place::Flushed(2)],
        _ => vec![Place::Folded],
    });
    let world = World::new(&rows).await;
    let selection = |matchers: &str| pb::Selection {
        tenant: String::new(),
        matchers: matchers.into(),
        from_ns: WINDOW,
        to_ns: WINDOW + 14_400 * SECOND,
    };
    for (matchers, expect) in [("{}", vec![("a", 467), ("b", 467), ("c", 466)]), ("{app=\"b\"}", vec![("b", 467)])] {
        let Outcome::Streams(outcome) = world.run(Task::Streams(selection(matchers))).await else { panic!() };
        let got: Vec<(String, u64)> = outcome.streams.iter().map(|s| (fakes::app_of(&s.labels), s.rows)).collect();
        let expect: Vec<_> = expect.into_iter().map(|(app, rows)| (app.to_owned(), rows)).collect();
        assert_eq!(got, expect, "{matchers}");
    }
    assert_eq!(error(&world, Task::Streams(selection("{app=\"b\"} |= \"x\""))).await.0, 400);
}

#[tokio::test]
async fn other_tenants_see_nothing() {
    let world = World::new(&rows(|_| vec![Place::Folded])).await;
    assert_eq!(fakes::shown_of(world.run_as("other", Task::Log(log_task(false, 100))).await), []);
}

#[tokio::test]
async fn stored_bytes_are_fetched_once() {
    let world = World::new(&rows(|_| vec![Place::Folded])).await;
    let first = world.stats(Task::Log(log_task(false, 5_000))).await;
    let second = world.stats(Task::Log(log_task(false, 5_000))).await;
    assert!(first.fetched_bucket_bytes > 0 && first.pages_read > 2, "{first:?}");
    assert_eq!((second.fetched_bucket_bytes, second.bucket_requests), (0, 0));
    assert_eq!(first.rows, second.rows);
}

#[tokio::test]
async fn queries_at_fault_are_told_so() {
    let world = World::new(&[]).await;
    let task = pb::LogTask { query: "{app=".into(), ..log_task(false, 1) };
    assert_eq!(error(&world, Task::Log(task)).await.0, 400);
    let task = pb::MetricTask { query: "{app=\"a\"}".into(), start_ns: 0, end_ns: 0, step_ns: 0 };
    assert_eq!(error(&world, Task::Metric(task)).await.0, 400);
}

//! The way out: order, limits, filters, tails.

use futures::StreamExt;

use super::*;

fn random(state: &mut u64, bound: u64) -> u64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*state >> 33) % bound
}

#[tokio::test]
async fn limited_answers_are_the_ends_of_the_whole_answer() {
    let world = World::new(1);
    let ingester = world.start().await;
    let mut state = 3;
    for number in 1..=60u64 {
        let lines: Vec<(i64, String)> = (0..=random(&mut state, 6))
            .map(|_| {
                (
                    random(&mut state, 40) as i64,
                    format!("{} {}", ["error", "info"][random(&mut state, 2) as usize], random(&mut state, 5)),
                )
            })
            .collect();
        let app = format!("app{}", random(&mut state, 4));
        ingester.push(push_of(number, vec![batch(&app, number * 100, &lines)])).await.unwrap();
        if number % 25 == 0 {
            // Some rows are read from frozen memtables.
            world.store.refuse_next(u64::MAX);
            ingester.freeze().await;
        }
    }
    for (matchers, filter) in [("{}", ""), (r#"{app=~"app[12]"}"#, ""), ("{}", r#"{app=~".+"} |= "error""#)] {
        for (from, to) in [(0, 100), (10, 25), (39, 40)] {
            let whole =
                pb::QueryRows { selection: Some(selection(matchers, from, to)), query: filter.to_owned(), ..all() };
            let (_, rows) = query(&ingester, whole.clone()).await.unwrap();
            assert!(rows.iter().all(|r| (from..to).contains(&r.1) && (filter.is_empty() || r.2.starts_with("error"))));
            assert_eq!(rows.iter().collect::<BTreeSet<_>>().len(), rows.len());
            // The order of the whole answer is (stream, timestamp, arrival).
            let mut by_time: Vec<(usize, &Row)> = rows.iter().enumerate().collect();
            by_time.sort_by_key(|(i, r)| (r.1, *i));
            for limit in [1, 3, 20, 1000] {
                for backward in [false, true] {
                    let (_, got) = query(&ingester, pb::QueryRows { limit, backward, ..whole.clone() }).await.unwrap();
                    let end = by_time.len().min(limit as usize);
                    let expect = if backward { &by_time[by_time.len() - end..] } else { &by_time[..end] };
                    let mut expect = expect.to_vec();
                    expect.sort_by_key(|(i, _)| *i);
                    assert_eq!(
                        got.iter().collect::<Vec<_>>(),
                        expect.iter().map(|(_, r)| *r).collect::<Vec<_>>(),
                        "{limit} {backward}"
                    );
                }
            }
        }
    }
}

#[tokio::test]
async fn a_thousand_equal_timestamps_stay_in_order_in_memory_and_in_the_bucket() {
    let world = World::new(1);
    let ingester = world.start().await;
    let line = |i: u64| (77, format!("{}", (i * 7919) % 1000));
    // The later half arrives first, as it may on one of several replicas.
    for half in [500u64, 0] {
        let lines: Vec<(i64, String)> = (half..half + 500).map(line).collect();
        ingester.push(push_of(half + 1, vec![batch("a", half, &lines)])).await.unwrap();
    }
    let expect: Vec<String> = (0..1000).map(|i| line(i).1).collect();
    let lines = |rows: Vec<Row>| rows.into_iter().map(|r| r.2).collect::<Vec<_>>();
    assert_eq!(lines(query(&ingester, all()).await.unwrap().1), expect);
    let newest = pb::QueryRows { limit: 300, backward: true, ..all() };
    assert_eq!(lines(query(&ingester, newest).await.unwrap().1), expect[700..]);
    ingester.flush().await;
    assert_eq!(lines(world.bucket_rows().await), expect);
}

#[tokio::test]
async fn large_answers_come_in_parts() {
    let world = World::new(1);
    let ingester = world.start().await;
    for number in 0..6u64 {
        let lines: Vec<(i64, String)> = (0..10).map(|i| (number as i64 * 10 + i, "x".repeat(100_000))).collect();
        ingester.push(push_of(number + 1, vec![batch("a", number * 10, &lines)])).await.unwrap();
    }
    let parts: Vec<pb::QueryRowsPart> = ingester.query(all()).await.unwrap().try_collect().await.unwrap();
    assert!(parts.len() > 4 && parts.iter().all(|p| p.rows.len() < 2 << 20), "{}", parts.len());
    assert_eq!(query(&ingester, all()).await.unwrap().1.len(), 60);
}

#[tokio::test]
async fn streams_and_bounds_tell_what_is_in_memory() {
    let world = World::new(1);
    let ingester = world.start().await;
    let nothing = ingester.bounds(pb::BoundsRequest { tenant: "t".to_owned() }).await.unwrap();
    assert!(!nothing.any);
    for number in 1..=9 {
        push(&ingester, number).await.unwrap();
    }
    let answer = ingester.streams(selection(r#"{app!="app0"}"#, 2, 8)).await.unwrap();
    let sizes: Vec<_> = answer.streams.iter().map(|s| (s.rows, s.bytes, s.min_ns, s.max_ns)).collect();
    assert_eq!(sizes, [(2, 12, 4, 7), (2, 12, 2, 5)]);
    let bounds = ingester.bounds(pb::BoundsRequest { tenant: "t".to_owned() }).await.unwrap();
    assert_eq!((bounds.any, bounds.min_ns, bounds.max_ns), (true, 1, 9));
    assert!(!ingester.bounds(pb::BoundsRequest { tenant: "u".to_owned() }).await.unwrap().any);
}

#[tokio::test]
async fn tails_see_new_rows_of_their_query_and_count_what_they_miss() {
    let world = World::new(1);
    let ingester = world.start().await;
    push(&ingester, 1).await.unwrap();
    let request = pb::TailRequest { tenant: "t".to_owned(), query: r#"{app="app1"} |= "7""#.to_owned() };
    let mut tail = ingester.tail(request.clone()).await.unwrap();
    for number in [4, 5, 7] {
        push(&ingester, number).await.unwrap();
    }
    let part = tail.next().await.unwrap().unwrap();
    assert_eq!(flatten(&Rows::decode(&part.rows).unwrap()), [("app1".to_owned(), 7, "line 7".to_owned())]);

    // Nobody reads: the queue fills, and the rest is counted.
    for number in (1..=1100).map(|i| 100 + 3 * i) {
        push(&ingester, number).await.unwrap();
    }
    let part = tail.next().await.unwrap().unwrap();
    assert_eq!(part.dropped, 1100 - 1024);
    ingester.shutdown().await;
    while tail.next().await.is_some() {}
    assert!(matches!(ingester.tail(request).await, Err(RpcError::Unavailable(_))));
}

use std::sync::Arc;

use evertick_protocol::{Blocks, Frame, Snapshot, TopicFramesWriter};
use proptest::prelude::*;

use super::grade::distance;
use super::*;

/// Cells of 10 units in a row; the viewpoint is in the first, and sees 100.
fn view(cells: u32) -> View {
    let mut view = View::default();
    view.look_from(Viewpoint { space: 0, at: [5.0, 5.0], radius: 100.0 });
    for cell in 0..cells {
        let square = Square { space: 0, min: [cell as f32 * 10.0, 0.0], size: 10.0 };
        let snapshot = Arc::new(Snapshot::new(Bytes::new()));
        let (topic, followed) = (TopicId(cell), Vec::new());
        view.enter(&Entered { topic, square: Some(square), snapshot, followed }, true, 0);
    }
    view
}

fn due(view: &mut View, frame: &Frame, scratch: &mut Scratch) -> usize {
    view.look(frame, scratch, |_, _| {}).sum()
}

fn frame(tick: u64, cells: u32, parts_per_side: u8, rows: u16) -> Frame {
    let mut topics = TopicFramesWriter::new();
    for cell in 0..cells {
        topics.blocks(TopicId(cell), Blocks { ordered: Some(Bytes::new()), events: None });
        topics.states(TopicId(cell), parts_per_side);
        (0..parts_per_side * parts_per_side).for_each(|part| topics.state(part, rows, &[7; 100]));
    }
    Frame { number: tick, tick, topics: topics.finish(), ..Frame::default() }
}

/// How often each cell's state is sent in 40 ticks when a frame may have `bytes_max`.
fn sent(view: &mut View, cells: u32, rows: u16, bytes_max: usize) -> Vec<u32> {
    let mut sent = vec![0; cells as usize];
    // Everything comes in the first tick.
    for tick in 99..140 {
        let frame = frame(tick, cells, 1, rows);
        let mut scratch = Scratch::default();
        let bytes = due(view, &frame, &mut scratch);
        let due = &mut scratch.due;
        assert_eq!(bytes, due.len() * 100);
        view.most_urgent_first(due, tick, bytes, bytes_max);
        let (now, later) = due.split_at(due.len().min(bytes_max / 100));
        for due in now {
            sent[view.index_of(due)] += u32::from(tick >= 100);
            view.sent(due, tick);
        }
        view.not_sent(later, tick);
    }
    sent
}

#[test]
fn far_cells_come_less_often() {
    // Few rows in all; then many, where three cells with 26 rows each hold the nearest.
    let all = sent(&mut view(10), 10, 15, usize::MAX);
    assert_eq!(all, [40, 40, 40, 40, 40, 40, 20, 20, 10, 10]);
    let dense = sent(&mut view(10), 10, 26, usize::MAX);
    assert_eq!(dense, [40, 40, 40, 20, 20, 20, 20, 20, 10, 10]);
}

#[test]
fn with_a_small_budget_the_nearest_go_at_full_rate_and_nobody_starves() {
    let sent = sent(&mut view(10), 10, 26, 400);
    assert_eq!(sent[..3], [40, 40, 40]);
    assert!(sent[3..].iter().all(|count| (2..=20).contains(count)), "{sent:?}");
    assert_eq!(sent.iter().sum::<u32>(), 4 * 40);
}

#[test]
fn a_cell_that_is_cut_anew_is_graded_anew_and_hostile_numbers_fit() {
    let mut view = view(1);
    for (tick, per_side) in [(1, 1), (2, 8), (3, 2), (4, 0)] {
        let mut scratch = Scratch::default();
        let frame = frame(tick, 1, per_side, 30);
        due(&mut view, &frame, &mut scratch);
        assert_eq!(scratch.due.len(), usize::from(per_side) * usize::from(per_side));
    }
    let mut topics = TopicFramesWriter::new();
    topics.states(TopicId(0), 1);
    topics.state(255, 3, &[7; 100]);
    let numbered = Frame { number: 5, tick: 5, topics: topics.finish(), ..Frame::default() };
    let mut scratch = Scratch::default();
    due(&mut view, &numbered, &mut scratch);
    assert_eq!(scratch.due.len(), 1);
    view.sent(&scratch.due[0], 5);
    view.leave(TopicId(0));
    view.leave(TopicId(0));
    assert_eq!(due(&mut view, &numbered, &mut scratch), 0);
}

#[test]
fn distances_are_those_of_the_parts() {
    let square = Square { space: 0, min: [0.0, 0.0], size: 64.0 };
    let viewpoint = Viewpoint { space: 0, at: [-3.0, -4.0], radius: 1.0 };
    assert_eq!(distance(&square, 1, 0, &viewpoint), 5.0);
    let inside = Viewpoint { space: 0, at: [40.0, 3.0], radius: 1.0 };
    assert_eq!(distance(&square, 2, 1, &inside), 0.0);
    assert_eq!(distance(&square, 2, 0, &inside), 8.0);
    assert_eq!(distance(&square, 2, 3, &inside), 29.0);
}

fn entered(topic: u32, placed: bool, bytes: usize) -> Entered {
    let square = Square { space: 0, min: [topic as f32 * 10.0, 0.0], size: 10.0 };
    Entered {
        topic: TopicId(topic),
        square: placed.then_some(square),
        snapshot: Arc::new(Snapshot::new(Bytes::from(vec![1; bytes]))),
        followed: vec![Bytes::from_static(&[2; 20])],
    }
}

fn wanted(view: &mut View, tick: u64, budget: usize) -> Vec<u32> {
    let mut wanted = Vec::new();
    view.wanted(tick, budget, &mut wanted);
    wanted.into_iter().map(|topic| topic.0).collect()
}

#[test]
fn the_nearest_snapshots_are_sent_first_and_those_without_a_place_always() {
    let mut view = view(0);
    let topics = [entered(30, true, 80), entered(2, true, 80), entered(9, false, 200), entered(4, true, 80)];
    assert_eq!(view.admit(&topics, usize::MAX, false), [true; 4]);
    assert_eq!(view.admit(&topics, 320, false), [false, true, true, false]);
    assert_eq!(view.admit(&topics, 321, false), [false, true, true, true]);
    assert_eq!(view.admit(&topics, 0, false), [false, false, true, false]);
    assert_eq!(view.admit(&topics, usize::MAX, true), [false, false, true, false]);
    // What is behind is asked for, the nearest first, until it fits no more; once.
    topics.iter().for_each(|topic| view.enter(topic, false, 99));
    assert_eq!(wanted(&mut view, 100, 300), [9, 2]);
    assert_eq!(wanted(&mut view, 101, 300).len(), 0);
    assert_eq!(view.admit(&topics, 0, false), [false, true, true, false], "it was promised");
    view.not_asked(&[TopicId(9), TopicId(2)]);
    assert_eq!(wanted(&mut view, 102, 0), [9]);
    view.leave(TopicId(9));
    assert_eq!(wanted(&mut view, 103, 10_000), [2, 4, 30]);
    // The host has forgotten it.
    assert_eq!(wanted(&mut view, 203, 1), [2]);
    for topic in [2, 4, 30] {
        view.enter(&entered(topic, true, 80), true, 203);
    }
    assert!(!view.is_behind());
    assert_eq!(view.fall_behind(true), 3);
    assert_eq!(view.fall_behind(false), 0);
    view.asked_for_all(300);
    assert_eq!(wanted(&mut view, 310, 10_000).len(), 0);
}

/// How many topics the frame says something of in order, and how many say anything.
fn said(view: &mut View, frame: &Frame) -> (usize, usize) {
    let (mut ordered, mut all) = (0, 0);
    view.look(frame, &mut Scratch::default(), |block, _| {
        ordered += usize::from(block.is_some());
        all += 1;
    });
    (ordered, all)
}

#[test]
fn nothing_of_a_topic_behind_is_due() {
    let mut view = view(2);
    let mut scratch = Scratch::default();
    let first = frame(1, 2, 1, 5);
    assert_eq!(said(&mut view, &first), (0, 2), "what they followed with has the rest");
    assert_eq!(said(&mut view, &first), (2, 2));
    assert_eq!(due(&mut view, &first, &mut scratch), 200);
    view.fall_behind(false);
    assert_eq!((due(&mut view, &first, &mut scratch), said(&mut view, &first)), (0, (0, 0)));
    view.enter(&entered(1, true, 80), true, 1);
    assert_eq!((said(&mut view, &first), due(&mut view, &first, &mut scratch)), ((0, 1), 100));
}

#[test]
fn what_is_far_is_spread_over_the_ticks() {
    let mut view = View::default();
    view.look_from(Viewpoint { space: 0, at: [5.0, 5.0], radius: 100.0 });
    for cell in 0..40 {
        let mut entered = entered(cell, true, 0);
        let far = Square { space: 0, min: [90.0, 0.0], size: 10.0 };
        entered.square = Some(if cell == 0 { Square { min: [0.0, 0.0], ..far } } else { far });
        view.enter(&entered, true, 0);
    }
    let mut send = |tick| {
        let (frame, mut scratch) = (frame(tick, 40, 1, 80), Scratch::default());
        due(&mut view, &frame, &mut scratch);
        scratch.due.iter().for_each(|due| view.sent(due, tick));
        scratch.due.len()
    };
    assert_eq!(send(7), 40);
    (8..12).for_each(|tick| _ = send(tick));
    assert!((12..52).map(send).all(|due| (1 + 9..=1 + 10).contains(&due)));
}

proptest! {
    #[test]
    fn a_topic_is_due_once_in_each_stretch(
        phase in any::<u16>(),
        // How many ticks have passed, which cells move, and how many states there is room for.
        steps in prop::collection::vec((0..6u64, any::<u128>(), 0..200usize), 1..60),
    ) {
        const CELLS: u32 = 100;
        let mut view = view(0);
        view.phase = phase;
        for cell in 0..CELLS {
            view.enter(&entered(cell % 10 + cell / 10 * 1000, true, 0), true, 65_500);
        }
        // By topic, when it was sent last.
        let mut sent = vec![None; CELLS as usize];
        let (mut tick, mut scratch) = (65_500, Scratch::default());
        for (elapsed, moves, room) in steps {
            tick += elapsed;
            let mut topics = TopicFramesWriter::new();
            for (index, topic) in view.topics.iter().enumerate().filter(|(index, _)| moves >> index & 1 == 1) {
                topics.states(topic.id, 1);
                topics.state(0, 1, &[index as u8; 4]);
            }
            let frame = Frame { tick, topics: topics.finish(), ..Frame::default() };
            // Grades are given here, and distances not looked at again.
            (view.stale, view.graded) = (false, tick);
            if sent.iter().all(Option::is_none) {
                for (index, topic) in view.topics.iter_mut().enumerate() {
                    topic.grade = [Grade::First, Grade::Full, Grade::Half, Grade::Quarter].get(index % 4).copied();
                }
                view.make_plan();
            }
            let bytes = due(&mut view, &frame, &mut scratch);
            let found: Vec<_> = scratch.due.iter().map(|due| view.index_of(due) as u32).collect();
            let expected = (0..CELLS).filter(|index| {
                let topic = view.topics[*index as usize];
                let offset = u64::from(phase) + u64::from(topic.offset());
                let stretch = |tick: u64| (tick + offset) / u64::from(topic.grade.map_or(1, Grade::interval));
                let is_new = sent[*index as usize].is_none_or(|sent| stretch(sent) != stretch(tick));
                moves >> index & 1 == 1 && (is_new || *index % 4 < 2)
            });
            prop_assert_eq!(&found, &expected.collect::<Vec<_>>());
            prop_assert_eq!(bytes, 4 * found.len());
            let (now, later) = scratch.due.split_at(scratch.due.len().min(room));
            for due in now {
                view.sent(due, tick);
                sent[view.index_of(due)] = Some(tick);
            }
            view.not_sent(later, tick);
        }
    }
}

//! Which panics are printed: this process has a hook of its own, so these tests have it to themselves.

use std::panic::{self, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

use shared::guarded::{Panicked, decode};

static PRINTED: AtomicUsize = AtomicUsize::new(0);

fn fails() {
    panic!("of what is at work");
}

#[test]
fn a_panic_of_a_decoder_is_printed_by_nobody_and_every_other_one_is() {
    panic::set_hook(Box::new(|_| {
        PRINTED.fetch_add(1, Ordering::Relaxed);
    }));
    let printed = || PRINTED.load(Ordering::Relaxed);
    for _ in 0..2 {
        assert_eq!(decode(fails), Err(Panicked));
        assert_eq!(printed(), 0);
    }
    assert!(catch_unwind(fails).is_err());
    assert_eq!(printed(), 1, "it is no decoder's");

    // Nor does a decoder at work silence another thread.
    let (begun, begins) = mpsc::channel();
    let (ends, end) = mpsc::channel::<()>();
    let decoding = thread::spawn(move || {
        decode(|| {
            begun.send(()).unwrap();
            end.recv().unwrap();
            fails();
        })
    });
    begins.recv().unwrap();
    assert!(thread::spawn(fails).join().is_err());
    assert_eq!(printed(), 2);
    ends.send(()).unwrap();
    assert_eq!(decoding.join().unwrap(), Err(Panicked));
    assert_eq!(printed(), 2);
}

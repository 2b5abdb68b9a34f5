//! Files that survive a crash: atomic replacement, synced appends, locks.

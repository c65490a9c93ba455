//! A role's program holds the code of its role and not that of others: the linker left it out. Told
//! by the symbol tables, so that no tool is needed.

use std::{collections::BTreeSet, fs};

use skald_testkit::{Binaries, Service};

/// Crates with code that only some roles need.
const CRATES: [&str; 14] = [
    "skald_blob",
    "skald_cache",
    "skald_catalog",
    "skald_wal",
    "skald_memtable",
    "skald_logql",
    "skald_segment",
    "skald_distributor",
    "skald_ingester",
    "skald_querier",
    "skald_query_frontend",
    "skald_query_scheduler",
    "skald_index_gateway",
    "skald_compactor",
];

/// Which of [`CRATES`] a role's program has.
fn needed(service: Service) -> &'static [&'static str] {
    match service {
        Service::Distributor => &["skald_distributor"],
        Service::Ingester => &[
            "skald_ingester",
            "skald_wal",
            "skald_memtable",
            "skald_segment",
            "skald_logql",
            "skald_catalog",
            "skald_blob",
        ],
        Service::Querier => &["skald_querier", "skald_segment", "skald_logql", "skald_blob", "skald_cache"],
        Service::QueryFrontend => &["skald_query_frontend", "skald_logql", "skald_cache"],
        Service::QueryScheduler => &["skald_query_scheduler"],
        Service::IndexGateway => &["skald_index_gateway", "skald_segment", "skald_catalog", "skald_blob"],
        Service::Compactor => &["skald_compactor", "skald_segment", "skald_catalog", "skald_blob"],
    }
}

/// An unsigned little-endian number of `len` bytes at `at`.
fn number(bytes: &[u8], at: usize, len: usize) -> usize {
    let mut wide = [0; 8];
    wide[..len].copy_from_slice(&bytes[at..at + len]);
    usize::try_from(u64::from_le_bytes(wide)).expect("a 64-bit machine")
}

/// Names of the functions in the symbol table of a 64-bit little-endian ELF file.
fn functions(elf: &[u8]) -> Vec<&str> {
    const SYMBOL_TABLE: usize = 2;
    const FUNCTION: u8 = 2;
    assert_eq!(&elf[..6], b"\x7fELF\x02\x01", "a 64-bit little-endian ELF file");
    let (table, size, count) = (number(elf, 0x28, 8), number(elf, 0x3a, 2), number(elf, 0x3c, 2));
    // Of a section: type, the section it refers to, offset and length.
    let section = |index: usize| {
        let at = table + index * size;
        (number(elf, at + 4, 4), number(elf, at + 40, 4), number(elf, at + 24, 8), number(elf, at + 32, 8))
    };
    let symbols = (0..count).map(section).find(|(kind, ..)| *kind == SYMBOL_TABLE);
    let (_, names, offset, len) = symbols.expect("a program that is not stripped");
    let (_, _, names, names_len) = section(names);
    let names = &elf[names..names + names_len];
    let symbols = elf[offset..offset + len].chunks_exact(24);
    let defined = symbols.filter(|symbol| symbol[4] & 0xf == FUNCTION && number(symbol, 6, 2) != 0);
    let name = |symbol: &[u8]| {
        let rest = &names[number(symbol, 0, 4)..];
        std::str::from_utf8(rest.split(|byte| *byte == 0).next().expect("split gives one part")).expect("ASCII names")
    };
    defined.map(name).collect()
}

/// Which of [`CRATES`] have functions among `functions`. Both manglings of Rust write a crate as its
/// length and its name.
fn found(functions: &[&str]) -> BTreeSet<&'static str> {
    let has = |name: &str| {
        let mangled = format!("{}{name}", name.len());
        functions.iter().any(|function| function.contains(&mangled))
    };
    CRATES.into_iter().filter(|name| has(name)).collect()
}

#[test]
fn programs_hold_their_role_and_nothing_else() {
    let binaries = Binaries::locate().expect("programs");
    for service in Service::ALL {
        let program = fs::read(binaries.path(service)).expect("a program per service");
        let needed: BTreeSet<_> = needed(service).iter().copied().collect();
        assert_eq!(found(&functions(&program)), needed, "{}", service.name());
    }
    let everything = fs::read(binaries.all_in_one()).expect("the program with every role");
    assert_eq!(found(&functions(&everything)), BTreeSet::from(CRATES));
}

#[test]
fn reads_the_symbols_of_this_program() {
    let own = fs::read(std::env::current_exe().expect("a path")).expect("this program");
    let functions = functions(&own);
    assert!(functions.iter().any(|name| name.contains("reads_the_symbols_of_this_program")));
    assert!(functions.iter().any(|name| name.contains("13skald_testkit")));
    assert!(!functions.iter().any(|name| name.contains("9skald_wal")));
}

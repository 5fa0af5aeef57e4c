# Short names for what people type often. Every recipe is one cargo command that works without `just`, too.

# List the recipes.
default:
    @just --list

# Everything that a change must pass: format, tidy, generated files, clippy, tests, docs.
verify:
    cargo xtask verify

# All tests, as the second command of the README runs them.
ci:
    .ci/run

# The tests of one crate, or of all.
test crate="":
    cargo test {{ if crate == "" { "--workspace" } else { "--package " + crate } }}

# Ranks, purity, module docs, sizes, texts.
tidy:
    cargo xtask tidy

# Rewrite the generated files.
codegen:
    cargo xtask codegen

# Licences, advisories, bans; needs cargo-deny.
deny:
    cargo deny check

# The demo: a small cluster with all policy families at work.
demo:
    cargo run --release --bin kanon -- up --demo --once --ephemeral

# Durable creates, reads and watch fan-out of the store.
bench:
    cargo run --release --package kanon-store --example store_bench

# Start, durable writes, reads, lists, watch fan-out and memory of the API server.
bench-server:
    cargo run --release --package kanon-apiserver --example apiserver_bench

# The scenarios that need no built-in kinds, against upstream's server of custom resources and etcd from Debian's packages.
real-server:
    .ci/real-server

# Random definitions and objects on the embedded server and on upstream's: every answer compared, the cases of a seed always the same.
real-differential cases="200" seed="1":
    .ci/real-server cargo run --package kanon-apiserver --example differential -- --cases {{ cases }} --seed {{ seed }}

# The embedded server beside upstream's under the same load, in one run.
real-bench:
    cargo build --release --bin kanon
    .ci/real-server cargo run --release --package kanon-bench -- beside

# A server that is killed by SIGKILL again and again in the middle of random writes, against a model of what it acknowledged.
kills count="1000":
    KANON_KILLS={{ count }} cargo test --release --package kanon-apiserver --test apiserver killed -- --nocapture

# Two Go managers on client-go for some minutes, while leader and server are killed. Fetches Go and client-go (apt, into the build folder).
go-manager minutes="10":
    .ci/go-manager {{ minutes }}

# The policy languages beside the crates that they replace, with the figures of the Go originals and the bars.
bench-languages:
    cargo run --release --package kanon-bench --no-default-features --features peers -- languages

# The instructions of a few rules against the committed counts; needs valgrind.
instructions:
    cargo run --release --package kanon-bench --no-default-features -- instructions

# Random programs against the reference evaluators, `count` of them in each language; needs an hour of one core for ten million.
differential count="10000000":
    KANON_CASES={{ count }} cargo test --release --package kanon-expr differential
    PROPTEST_CASES={{ shell('echo $(($1 / 2))', count) }} cargo test --release --package kanon-cel differential

"""What the tests of the solvers and the page of proofs compute alike: plain functions of solvers, without assertions."""

#!/usr/bin/env python3
"""What compare.py, scaling.py and recipe.py make of measurements; nothing is measured here."""
import argparse
import json
import sys
import tempfile
import unittest
from pathlib import Path

import compare
import peers
import recipe
import runs
import scaling
import vit_fields
from peers import Failure, Peer
from targets import TARGETS, Target


def options_of(*arguments):
    parser = argparse.ArgumentParser()
    vit_fields.add_options(parser)
    return vit_fields.of_options(parser.parse_args(arguments))


class Targets(unittest.TestCase):
    def test_a_limit_that_is_reached_is_met(self):
        times = Target("", 2.5, 3.5)
        self.assertEqual([times.verdict(x) for x in (2.49, 2.5, 3.5)], ["missed", "met", "stretch"])
        seconds = Target("", 8, 4, "s")
        self.assertEqual([seconds.verdict(x) for x in (8.1, 8, 4)], ["missed", "met", "stretch"])

    def test_figures_are_written_with_their_unit(self):
        self.assertEqual([Target("", unit=unit).text(0.5) for unit in "x%s"], ["0.50x", "50%", "0.50 s"])
        self.assertEqual(Target("").text(None), "-")

    def test_every_target_is_measured(self):
        rows = compare.Comparison(argparse.Namespace(build=".", device="auto")).rows()
        self.assertEqual(list(rows), list(TARGETS))


class Rows(unittest.TestCase):
    def test_a_ratio_becomes_a_line_with_its_verdict(self):
        line, figures = compare.measured("step-100", lambda: compare.Outcome("10.00 ms", "26.00 ms, PyTorch", 2.6, {"ms": {}}))
        self.assertEqual(line[1:], ["10.00 ms", "26.00 ms, PyTorch", "2.60x", "2.50x", "3.50x", "met"])
        self.assertEqual(figures, {"score": 2.6, "verdict": "met", "ms": {}})

    def test_what_can_not_be_measured_says_why(self):
        def absent():
            raise Failure("no device intel")

        line, figures = compare.measured("intel", absent)
        self.assertIn("no device intel", line[1])
        self.assertEqual((line[-1], figures), ("", {"failure": "no device intel"}))

    def test_the_table_is_aligned(self):
        lines = compare.table([["a" * 30, "b", "", "", "", "", "met"]]).splitlines()
        self.assertEqual(len({len(line) for line in lines}), 1)
        self.assertEqual(len(lines), 3)


class Alternation(unittest.TestCase):
    def setUp(self):
        self.calls = []

    def taking(self, name, milliseconds):
        return lambda: self.calls.append(name) or milliseconds

    def test_rounds_take_turns(self):
        results = peers.alternate(2, {"vitcl": self.taking("vitcl", 1), "a": self.taking("a", 2)})
        self.assertEqual(self.calls, ["vitcl", "a", "vitcl", "a"])
        self.assertEqual(results, {"vitcl": [1, 1], "a": [2, 2]})

    def test_who_is_far_behind_runs_once(self):
        peers.alternate(3, {"vitcl": self.taking("vitcl", 9), "a": self.taking("a", 2), "b": self.taking("b", 2.4),
                            "c": self.taking("c", 2.6)})
        self.assertEqual([self.calls.count(name) for name in ("vitcl", "a", "b", "c")], [3, 3, 3, 1])

    def test_an_opponent_that_fails_is_left_out(self):
        def fail():
            raise Failure("no such mode")

        results = peers.alternate(2, {"vitcl": self.taking("vitcl", 1), "a": fail, "b": self.taking("b", 3)})
        self.assertEqual(peers.best(results, "vitcl"), ("b", 3))
        with self.assertRaises(Failure):
            peers.alternate(1, {"vitcl": fail, "a": self.taking("a", 1)})
        with self.assertRaises(Failure):
            peers.best(peers.alternate(1, {"vitcl": self.taking("vitcl", 1), "a": fail}), "vitcl")

    def test_the_best_has_the_least_median(self):
        self.assertEqual(peers.best({"vitcl": [1], "a": [5, 5, 1], "b": [4, 4, 9]}, "vitcl"), ("b", 4))


class Programs(unittest.TestCase):
    def script(self, text):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        path = Path(folder.name, "peer.py")
        path.write_text(text)
        return path

    def test_a_peer_answers_line_by_line(self):
        path = self.script("import json, sys\nfor line in sys.stdin:\n"
                           "    n = json.loads(line)['n']\n"
                           "    print(json.dumps({'error': 'odd'} if n % 2 else {'half': n // 2}), flush=True)\n")
        with Peer(sys.executable, path) as peer:
            self.assertEqual(peer.ask(n=4), {"half": 2})
            with self.assertRaisesRegex(Failure, "odd"):
                peer.ask(n=3)
            self.assertEqual(peer.ask(n=6), {"half": 3})

    def test_a_peer_that_ends_is_named(self):
        with Peer(sys.executable, self.script("import no_such_module\n")) as peer:
            peer.process.wait(60)
            with self.assertRaisesRegex(Failure, "peer.py"):
                peer.ask(n=1)

    def test_a_program_that_fails_says_why(self):
        path = self.script("import sys\nsys.exit('1 warning generated.\\nvitcl_train_bench: no device x; there are:\\n  0 y')\n")
        with self.assertRaisesRegex(Failure, "^vitcl_train_bench: no device x"):
            peers.run_json([sys.executable, path])
        with self.assertRaisesRegex(Failure, "no_such_program"):
            peers.run_json(["no_such_program"])
        self.assertEqual(peers.run_json([sys.executable, self.script("print('{\"a\": 1}')")]), {"a": 1})

    def test_products_are_found_by_name(self):
        row = {"name": "gemm/nt/1700x64x192/pocl_cpu/real_time", "GFLOP/s": 85.5}
        self.assertEqual(peers.products_of({"benchmarks": [row]}), {"nt/1700x64x192": 85.5})
        with self.assertRaisesRegex(Failure, "nt/1700x64x192: out of memory"):
            peers.products_of({"benchmarks": [row | {"error_occurred": True, "error_message": "out of memory"}]})


class Cliffs(unittest.TestCase):
    def test_a_bump_is_found(self):
        self.assertEqual(list(scaling.cliffs({1: 1, 2: 2, 4: 6.4, 8: 8, 16: 16})), [4])
        self.assertAlmostEqual(scaling.cliffs({1: 1, 2: 2, 4: 6.4, 8: 8})[4], 1.6)

    def test_powers_and_fixed_costs_are_none(self):
        self.assertEqual(scaling.cliffs({x: x**2 for x in (32, 64, 96, 128, 256)}), {})
        self.assertEqual(scaling.cliffs({x: 100 + x for x in (1, 4, 16, 64, 256, 1024)}), {})

    def test_ends_have_one_neighbour_and_are_not_judged(self):
        self.assertEqual(scaling.cliffs({1: 50, 2: 2, 4: 4, 8: 80}), {})

    def test_the_report_names_them(self):
        rows = [(1, 1.0, 3.0, "eager"), (2, 4.0, 6.0, "eager"), (4, 4.0, 12.0, "eager")]
        text = scaling.report({"batch": rows})
        self.assertIn("| batch | 1 | 1.00 | 3.00 | 3.00 | eager |", text)
        self.assertIn("vitcl at batch 2: 2.0 times", text)
        self.assertIn("No cliff", scaling.report({"batch": rows[:1] + rows[2:]}))


def epoch_row(epoch, accuracy, seconds=10):
    return {"type": "epoch", "epoch": epoch, "test_accuracy": accuracy, "train_seconds": seconds - 1, "test_seconds": 1}


class Recipe(unittest.TestCase):
    def test_an_epoch_that_was_done_again_counts_once(self):
        rows = [{"type": "step", "step": 1}, epoch_row(1, 0.5), epoch_row(2, 0.6), epoch_row(2, 0.7)]
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, "metrics.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n")
            self.assertEqual(runs.rows(Path(folder), "epoch"), [rows[1], rows[3]])

    def test_the_time_counts_until_the_accuracy_is_there(self):
        rows = [epoch_row(1, 0.9, 12), epoch_row(2, 0.98, 10), epoch_row(3, 0.99)]
        self.assertEqual(recipe.seconds_to(rows, 0.98), 22)
        self.assertIsNone(recipe.seconds_to(rows, 0.995))

    def test_the_report_has_the_last_epochs_and_their_median(self):
        seeds = [[epoch_row(1, 0.985), epoch_row(2, last)] for last in (0.991, 0.995, 0.984)]
        self.assertIn("| mnist | 2 | 99.10, 99.50, 98.40 % | 99.10 % | 10.0 s | 98 % | 10 s |",
                      recipe.report({"mnist": seeds}))
        self.assertIn("| 98 % | - |", recipe.report({"mnist": [*seeds, [epoch_row(1, 0.9), epoch_row(2, 0.9)]]}))

    def test_a_run_that_fails_is_named(self):
        options = argparse.Namespace(build=Path("no-such-folder"), device="auto", data_dir=None, flags=[])
        with self.assertRaisesRegex(recipe.Failure, "no-such-folder"):
            recipe.train(options, "mnist", 0, Path("runs"))


class Fields(unittest.TestCase):
    def test_options_change_the_preset(self):
        self.assertEqual(options_of(), vit_fields.ViT())
        tiny = options_of("--model", "tiny", "--depth", "2")
        self.assertEqual((tiny.dim, tiny.depth, tiny.tokens, tiny.attention_scale), (192, 2, 197, 0.125))
        with self.assertRaises(SystemExit):
            options_of("--patch-size", "5")


if __name__ == "__main__":
    unittest.main()

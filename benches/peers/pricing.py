"""Adds the Python peers to what the program `pricing` says, and prints one table as Markdown.

Usage: pricing.py PROGRAM        (built from src/bin/pricing.rs; pricing.sh does all of it)

The inputs and our numbers are the program's. A peer that comes to others by more than the tolerance
that stands here makes this fail; where a peer is known to differ, none stands here.
"""

import json
import math
import platform
import statistics
import subprocess
import sys
import time
import warnings
from importlib.metadata import version

import penaltyblog
import shin

ROUNDS = 21
# A measurement has as many calls as take this long, of processor time, as in src/lib.rs.
BATCH_NS = 2e6


class Peer:
    """What a peer makes of the input of a task."""

    def __init__(self, package, call, numbers, tolerance, remark="", has=None):
        self.package = package
        self.call = call
        # Of what the call returns.
        self.numbers = numbers
        # None where it is known to differ.
        self.tolerance = tolerance
        self.remark = remark
        # Which of our numbers it has; None for all.
        self.has = has

    def against(self, task):
        """The same as the program says of a Rust peer."""
        numbers = [float(number) for number in self.numbers(self.call())]
        ours = task["numbers"]
        if self.has is not None:
            ours = [ours[place] for place in self.has]
        return {
            "peer": f"{self.package} {version(self.package)}",
            "ns": measured(self.call),
            "difference": farthest(abs(a - b) for a, b in zip(ours, numbers, strict=True)),
            "tolerance": self.tolerance,
            "remark": self.remark,
        }


def farthest(apart):
    # Farther than anything is what is no number.
    return max(apart, key=lambda distance: (math.isnan(distance), distance))


def measured(call):
    calls = 1
    while batch(call, calls) < BATCH_NS:
        calls *= 2
    spans = [batch(call, calls) / calls for _ in range(ROUNDS)]
    return {"min": min(spans), "median": statistics.median(spans)}


def batch(call, calls):
    start = time.thread_time_ns()
    for _ in range(calls):
        call()
    return time.thread_time_ns() - start


def overround_off(method, odds):
    implied = penaltyblog.implied.calculate_implied
    yield Peer(
        "penaltyblog",
        lambda: implied(odds, method),
        lambda result: result.probabilities,
        1e-10,
    )
    if method == "shin":
        yield Peer("shin", lambda: shin.calculate_implied_probabilities(odds), list, 1e-10)


def match_prices(home, away, rho):
    # Where in ours: 1X2, double chance, draw no bet, both score, totals, Asian handicaps, scores
    # from 0-0 to 5-5, wins to nil, numbers of goals. See the table of `Outcome::ALL`.
    markets = [(0, 10), (12, 62), (82, 132), (150, 186), (201, 202), (203, 204), (209, 215)]
    has = [place for first, end in markets for place in range(first, end)]

    def price():
        grid = penaltyblog.models.create_dixon_coles_grid(home, away, rho, max_goals=15)
        numbers = [
            *grid.home_draw_away,
            grid.double_chance_1x,
            grid.double_chance_12,
            grid.double_chance_x2,
            grid.draw_no_bet_home,
            grid.draw_no_bet_away,
            grid.btts_yes,
            grid.btts_no,
        ]
        for quarters in range(2, 27):
            under, _, over = grid.totals(quarters / 4)
            numbers += [over / (over + under), under / (over + under)]
        for quarters in range(-12, 13):
            for side, line in (("home", quarters / 4), ("away", -quarters / 4)):
                bet = grid.asian_handicap_probs(side, line)
                numbers.append(bet["win"] / (bet["win"] + bet["lose"]))
        numbers += [grid.exact_score(h, a) for h in range(6) for a in range(6)]
        numbers += [grid.win_to_nil_home(), grid.win_to_nil_away()]
        numbers += [float(goals) for goals in grid.total_goals_distribution()[:6]]
        return numbers

    remark = f"{len(has)} probabilities, ours 236; the same grid of 16 by 16"
    if rho != 0:
        remark += "; its factors of 0-1 and 1-0 are swapped"
    yield Peer("penaltyblog", price, list, 1e-9 if rho == 0 else None, remark, has)


def means_of_result(result):
    yield Peer(
        "penaltyblog",
        lambda: penaltyblog.models.goal_expectancy(*result, dc_adj=False),
        lambda means: [means["home_exp"], means["away_exp"]],
        1e-3,
        "a search for the least squares, to about four digits",
    )


def means_of_result_and_total(result, under):
    yield Peer(
        "penaltyblog",
        lambda: penaltyblog.models.goal_expectancy_extended(*result, 1 - under, under),
        lambda means: [means["home_exp"], means["away_exp"], means["implied_rho"]],
        None,
        "its factors of 0-1 and 1-0 are swapped, so that its rho is another",
    )


def kelly_of_one(odds, probability):
    yield Peer(
        "penaltyblog",
        lambda: penaltyblog.betting.kelly_criterion(odds, probability),
        lambda bet: [bet.stake, bet.edge, bet.expected_growth],
        1e-12,
        "returns measures of risk, too",
    )


def kelly_of_many(odds, probabilities):
    yield Peer(
        "penaltyblog",
        lambda: penaltyblog.betting.multiple_kelly_criterion(odds, probabilities),
        lambda bets: bets.stakes,
        1e-4,
        "a search by two methods; at most half on one, 0.99 in all; returns measures of risk, too",
    )


def peers_of(task):
    name, given = task["task"], task["input"]
    method, _, which = name.partition(", ")
    if which.endswith(" off"):
        return overround_off(method.replace("-", "_"), given["odds"])
    match name:
        case "a match, Poisson" | "a match, Dixon-Coles":
            return match_prices(**given)
        case "means of 1X2":
            return means_of_result(given["result"])
        case "means of 1X2 and a total":
            return means_of_result_and_total(given["result"], given["under"])
        case "Kelly, one bet":
            return kelly_of_one(given["odds"], given["probability"])
        case "Kelly, three outcomes":
            return kelly_of_many(given["odds"], given["probabilities"])
    return []


def notes():
    yield (
        "Python peers are called from Python in another process, after the program: what a call and"
        " its objects cost is in their times, as it is for whoever uses them."
    )
    yield (
        "Means are sought without a solution near by to begin at. Ours has the market's"
        " probabilities to 1e-10 then."
    )
    odds = [3.1, 3.1, 3.1]
    total = sum(shin.calculate_implied_probabilities(odds))
    try:
        penaltyblog.implied.calculate_implied(odds, "shin")
        answer = "answers"
    except ValueError as error:
        answer = f'raises "{error}"'
    yield f"Of the same {odds} shin returns what sums to {total:.4f}, and penaltyblog's Shin {answer}."


def span(ns):
    for unit, size in (("ns", 1), ("µs", 1e3), ("ms", 1e6)):
        if ns < 1000 * size or unit == "ms":
            return f"{ns / size:.1f} {unit}"


def spans(ns):
    return f"{span(ns['min'])}, {span(ns['median'])}"


def is_near(peer):
    return peer["tolerance"] is None or peer["difference"] <= peer["tolerance"]


def apart(peer):
    if peer["tolerance"] is None:
        return f"{peer['difference']:.1e}"
    than = "≤" if is_near(peer) else "**ABOVE**"
    return f"{peer['difference']:.1e} {than} {peer['tolerance']:.0e}"


def main():
    warnings.simplefilter("ignore")
    program = subprocess.run([sys.argv[1], "--json"], stdout=subprocess.PIPE, check=False)
    report = json.loads(program.stdout)
    for task in report["tasks"]:
        task["peers"] += [peer.against(task) for peer in peers_of(task)]

    versions = report["versions"] | {
        package: version(package) for package in ("penaltyblog", "shin", "numpy", "scipy")
    }
    print(f"{report['machine']}; Python {platform.python_version()}, ", end="")
    print(", ".join(f"{package} {number}" for package, number in versions.items()), end="\n\n")
    print("| task | ours: min, median | peer | min, median | of minima | apart ≤ tolerance | remark |")
    print("|---|---|---|---|---|---|---|")
    for task in report["tasks"]:
        for peer in task["peers"]:
            ratio = peer["ns"]["min"] / task["ns"]["min"]
            ratio = f"{ratio:,.0f}" if 100 <= ratio else f"{ratio:.1f}"
            columns = (
                task["task"],
                spans(task["ns"]),
                peer["peer"],
                spans(peer["ns"]),
                ratio,
                apart(peer),
                peer["remark"],
            )
            print(f"| {' | '.join(columns)} |")
    print()
    for note in [*report["notes"], *notes()]:
        print(f"- {note}")
    far = [peer["peer"] for task in report["tasks"] for peer in task["peers"] if not is_near(peer)]
    if far:
        sys.exit(f"comes to other numbers than ours: {', '.join(far)}")


if __name__ == "__main__":
    main()

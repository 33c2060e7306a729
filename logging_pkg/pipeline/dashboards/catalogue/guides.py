"""How to read each dashboard: for the panels that no alert is about, where a runbook would be.

In: nothing. Out: Markdown by dashboard. Never: what the runbook of an alert says.
"""

from __future__ import annotations

from typing import Final

OVERVIEW: Final = """\
1. **Alerts firing** above 0: the table below names them. Each has its runbook on this dashboard, under its name.
2. No alert, but users complain: is one of the curves under Requests different from an hour ago, or from the same hour
   yesterday? A blue mark is a release. Go on to the dashboard of what changed: Requests, Database, Google API and
   quota, Sync.
3. **Requests per second** at 0 while processes report: nothing reaches the application. Look at the proxy before it.
4. **Newest errors**: open a line; its `correlation_id` leads to everything that went with it.

Everything empty at once: look at Pipeline health first. Numbers are only as good as that one is quiet.
"""
REQUESTS: Final = """\
1. **Routes now**: sort by p95, errors or queries; coloured numbers are over the limit of an alert. Choose that route
   at the top.
2. p95 rises and p50 does not: some requests are slow, such as those of one large account. Both rise: all are, so
   think of the release, the database, or too few workers.
3. **HTTP queue time** rises: requests wait for a worker. More workers, or find what holds them (requests that are
   stuck, slow ones).
4. Stuck requests and work left behind have no fixed limit: any is worth a look. Its line names the route and how long
   it went on.
5. **Requests that failed or were slow**: open a line, follow its `correlation_id`. Where the time went is in the
   timeline.
"""
DATABASE: Final = """\
1. **Queries per request** grows with the data: an N+1. The table below names the line of code.
2. **Slow queries, the 20 that took most time**: what is at the top is worth most.
3. Plans are hints, not faults: *wants an index* means that most rows read were thrown away. Read the plan (Plans, at
   the bottom) before you add one. Full scans of large tables are usual in reports, not in requests.
"""
GOOGLE: Final = """\
1. Refused (rate limited ratio) above 0: the quota. See which project, then which account, uses most of it.
2. Errors without refusals: `logpipe top errors`, or the attempts at the bottom, have Google's reason. 401 and
   `invalid_grant` are one account's; 5xx of every operation are Google's: nothing to do but wait, retries go on.
3. How many calls, items and units are usual depends on the number of accounts: compare with yesterday. A full sync of
   everything shows as many `events.list` at once.
4. HTTP client panels are about other hosts than Google's: what is slow for one is usual for another.
"""
SYNC: Final = """\
1. **Sync success ratio** first; then **Accounts with most failed runs**: one account is its own problem, all are
   Google's or ours.
2. Runs per second fall to 0: the worker (trigger `schedule`) or the push channel (trigger `push`) is down. A schedule
   that stopped shows as late calendars within minutes.
3. **Sync duration** of a full sync is minutes, of an incremental one seconds. Many full ones at once: tokens have
   expired.
4. What came in has no right number. Nothing for an hour in daytime is worth a look; many deleted at once is, too.
"""
USERS: Final = """\
Numbers of people are neither good nor bad: nobody is woken by them.

1. Fewer than at the same time last week, after a release (blue mark): something they used is gone or broken. See
   **User actions** for which.
2. **How far users get**: the step with the largest fall before it is where they give up. Look at the errors and times
   of its route.
3. All at 0 while requests come in: events of users do not arrive. See Pipeline health.
"""
CACHE: Final = """\
1. **Hit rate** first. What is usual differs from cache to cache; the alerts compare each with itself.
2. It fell after a release (blue mark): keys have changed, and it recovers as the cache fills. It does not: keys hold
   something that differs each time.
3. Hits and misses both fall: fewer requests. Misses alone rise: keys expire, or are thrown out because the cache is
   full (Size near its limit, a number of keys that no longer grows).
4. **Cache time** rises and the number of lookups does not: the cache's server or the way to it is slow.
5. Warming: runs without success leave requests slower, nothing else. Warmed keys that nobody reads are work for
   nothing.
"""
CAPACITY: Final = """\
1. **When does it run out** first: it names the disk or database, and the days left.
2. Memory, threads, open files that only rise, and fall at each restart, are a leak. See since which release (blue
   mark); restart the process, then find it (`docs/PERFORMANCE.md`: memory profiles).
3. Sizes and counts without a limit have none that holds everywhere: the shares and the days left beside them have.
4. A pause of the garbage collector of more than a tenth of a request's time is seen as p95 on Requests.
"""
PIPELINE_HEALTH: Final = """\
1. **Shipper lag** and **Backlog**: rules count on 30 s. With more, what they record is too low, for good.
2. **Lost or refused**: any is too many; the line at the bottom names event and field.
3. **Recorded series that arrive** at 0: the ruler, Prometheus, or the way between them. `logpipe doctor` tells which.
4. **Lines stored per second** has no right number: compare with the requests. One event that suddenly leads is a loop
   that logs.
5. Events shipped, against lines stored: much more shipped than stored means that a shipper sends again.
"""
SLOS: Final = """\
1. **Error budget left** below 0: the objective of 30 days is missed. What to change is decided by day, not at night.
2. A burn rate of 1 uses the budget up in exactly 30 days; 14.4 uses 2 % of it in an hour. The alerts want both
   windows over the limit: the short one says that it still goes on.
3. Which events are bad: the **Logs** of a panel, and the alert's own link, which has the objective's condition.
"""
TIMELINE: Final = """\
1. Nothing there: the time range does not hold it. The first 12 digits of a `correlation_id` are its start, in
   milliseconds since 1970 (hexadecimal); `logpipe trace ID` takes the time from it and needs no range.
2. **Where the time went**: kinds of work lie within one another. SQL near the whole: Database. Google's attempts:
   Google API and quota. Waits before retries: Google refused.
3. Much is in none of them: `logpipe trace ID` draws the waterfall, and names what is unexplained.
4. **Findings and errors** often is the answer: an N+1, a slow query, the reason Google gave.
"""
OTHER_METRICS: Final = """\
Each is a metric of a schema (`x-metrics`) that no other dashboard shows. Its description says what it counts and over
which time.

To give it a limit: write an alert rule with `dashboard_url` to this panel. To put it on another dashboard:
docs/DASHBOARDS.md.
"""

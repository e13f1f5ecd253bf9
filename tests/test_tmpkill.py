import os, time, random, shutil
from loop_returns.sandbox import Shop
from .driving import NOW
from .killing import run_and_kill
def test_x(drive, tmp_path):
    seed=int(os.environ.get("SEED","1")); rng=random.Random(seed)
    end=time.time()+float(os.environ.get("SECS","100")); n=0
    while time.time()<end:
        n+=1
        shutil.rmtree(tmp_path/"dlt",ignore_errors=True)
        for f in tmp_path.glob("loop.duckdb*"): f.unlink()
        shop=Shop.generate(seed=rng.randrange(10**6),returns=8,days=40,now=NOW)
        d=drive(shop, settings={"start_date":NOW.replace(month=8),"lookback":__import__("datetime").timedelta(0)})
        first=rng.random()<.4
        log=[]
        try:
            if not first: d.sync(); shop.change(3); shop.remove_line_items(2)
            for _ in range(rng.choice((1,1,2))):
                at=rng.randint(1,1000 if first else 620); wipe=rng.random()<.3
                log.append((at,wipe,run_and_kill(d.sync,at=at)))
                if wipe: shutil.rmtree(tmp_path/"dlt",ignore_errors=True)
                if rng.random()<.5: shop.change(2); shop.remove_line_items(2,all_of_it=True)
            d.sync(); bad=d.differences()
        except BaseException as e:
            import traceback; traceback.print_exc(); bad=[repr(e)[:600]]
        if bad: print("BAD",first,log,bad[:4],flush=True)
        d.stop()
    print("tried",n)

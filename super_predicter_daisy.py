"""Predict the heads of the volumes that predict.volumes names, in blocks, in many processes, here
or on a cluster.

python super_predicter_daisy.py [-c my_config.py] [key=value ...]
e.g. predict.workers.count=8 predict.workers.launch=slurm "predict.workers.options=--gres=gpu:1"

It is `lsd predict --workers N`, where N is predict.workers.count.
"""

from lsd.cli.commands.predict import SHARED

if __name__ == "__main__":
    SHARED.main()

SCRIPT = "train.py"

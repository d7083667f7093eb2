# docker build -t digit-lab .
# docker run --rm --hostname digit-lab -p 8501:8501 -v digit-lab-runs:/data/runs digit-lab    then open http://localhost:8501
#
# By its digest, of all processors, the image cannot change. `docker buildx imagetools inspect python:3.12-slim` prints the
# newest one; take it when the locks are renewed, for Debian's and Python's security fixes.
ARG PYTHON_IMAGE=python:3.12-slim@sha256:78387bc3881b8273120a12ebe6c1ab22b018ccc2c9adf565ae1ac9b536e184ea
FROM $PYTHON_IMAGE

ENV PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    DIGITLAB_RUNS=/data/runs

# A home of its own: MNIST and Matplotlib's font list are kept there. A fresh volume takes over the owner of /data/runs.
RUN useradd --create-home --uid 1000 digitlab \
    && mkdir -p /data/runs \
    && chown digitlab:digitlab /data/runs

WORKDIR /app
# First what changes seldom: a changed page does not install TensorFlow again.
COPY deploy/locks/requirements.txt deploy/locks/
RUN pip install --require-hashes -r deploy/locks/requirements.txt
COPY . .
# The command `digitlab`. Editable, so that there is one copy of the package; built by the setuptools that is locked.
RUN pip install --no-index --no-deps --no-build-isolation -e .

USER digitlab
VOLUME /data/runs
EXPOSE 8501
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8501/_stcore/health', timeout=4)"]

# The server address is the container's; which computers reach it is for `docker run -p` to say.
CMD ["python", "-m", "streamlit", "run", "app.py", "--server.address=0.0.0.0", "--server.port=8501", \
     "--server.headless=true", "--browser.serverAddress=localhost"]

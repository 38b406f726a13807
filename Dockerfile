# SSD-2 Studio on a CPU: docker build -t ssd2-studio . && docker run -p 7860:7860 ssd2-studio
FROM python:3.12-slim
RUN useradd --create-home --uid 1000 studio
WORKDIR /home/studio/app
COPY requirements.txt .
RUN pip install --no-cache-dir --extra-index-url https://download.pytorch.org/whl/cpu -r requirements.txt
COPY app.py LICENSE README.md Space.yaml ./
COPY ssd2_core ssd2_core
COPY assets assets
USER studio
ENV GRADIO_SERVER_NAME=0.0.0.0 GRADIO_ANALYTICS_ENABLED=False PYTHONUNBUFFERED=1
EXPOSE 7860
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s CMD python -c "import urllib.request as u; u.urlopen('http://127.0.0.1:7860/health', timeout=4)"
CMD ["python", "app.py"]

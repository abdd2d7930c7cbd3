import { describe, expect, test } from 'vitest';
import { type Pause, Pauses } from '../../../src/jupyterlab/pauses';
import { FakeDebugger, frame } from './fakeDebugger';

const INSPECT = { type: 'inspect' } as const;

/** A debugger that is followed, and what was told of it, one after the other. */
function followed(service = new FakeDebugger(), cells: Record<string, string> = {}) {
  const find = (_: string, fits: (code: string) => boolean) =>
    Object.entries(cells).find(([, code]) => fits(code))?.[0] ?? null;
  const pauses = new Pauses(find);
  const told: (Pause | null)[] = [];
  pauses.changed.connect(() => told.push(pauses.current));
  pauses.follow(service.real);
  return { service, pauses, told };
}

describe('a stop', () => {
  test('is told once, with its frame', () => {
    const { service, told } = followed();
    service.stops(frame(7), frame(8, 1, '<module>'));
    const site = { file: '/tmp/ipykernel_1/22.py', line: 4 };
    expect(told).toEqual([{ kernel: 'k1', stop: { number: 1, function: 'forward', site } }]);
  });

  test('in a cell is told by the id of the cell', () => {
    const { service, pauses } = followed(new FakeDebugger(), { a: 'x = 1', b: 'y = fc(x)' });
    service.stops(frame(7));
    expect(pauses.current?.stop.site).toEqual({ cell_id: 'b', line: 4 });
  });

  test('from before the page was loaded is told too', () => {
    const service = new FakeDebugger();
    service.stops(frame(7));
    expect(followed(service).told).toHaveLength(1);
  });

  test('is over when the kernel goes on, when the debugger is switched off, and when it looks elsewhere', () => {
    const { service, pauses } = followed();
    for (const end of [
      () => service.goesOn(),
      () => service.stopped.emit(),
      () => service.follows('k2'),
      () => service.eventMessage.emit({ event: 'terminated' }),
      () => pauses.leave(),
    ]) {
      service.stops(frame(7));
      expect(pauses.current).not.toBeNull();
      end();
      expect(pauses.current).toBeNull();
    }
  });

  test('without frames, or of no kernel, is none', () => {
    const { service, pauses } = followed();
    service.stops();
    expect(pauses.current).toBeNull();
    service.session = null;
    service.stops(frame(7));
    expect(pauses.current).toBeNull();
  });

  test('that a thread goes on from is none, though its frames are still there', () => {
    const { service, pauses } = followed();
    service.model.callstack.frames = [frame(7)];
    expect(pauses.current).toBeNull();
  });
});

describe('the number of a stop', () => {
  const numbers = (told: (Pause | null)[]) => told.map((pause) => pause?.stop.number ?? null);

  test('is another in each frame, and for each step within one', () => {
    const { service, told } = followed();
    const [inner, outer] = [frame(7), frame(8, 1, '<module>')];
    service.stops(inner, outer);
    service.model.callstack.frame = outer;
    service.model.callstack.frame = inner;
    service.stops(frame(7, 5), outer);
    expect(numbers(told)).toEqual([1, 2, 3, null, 4]);
    expect(told.at(-1)?.stop.site.line).toBe(5);
  });

  test('stays where the frames were only read again, which is told since values may be others', () => {
    const { service, told } = followed();
    service.stops(frame(7));
    service.model.callstack.frames = [frame(7)];
    expect(numbers(told)).toEqual([1, 1]);
  });

  test('is another for the same line, reached once more', () => {
    const { service, told } = followed();
    service.stops(frame(7));
    service.goesOn();
    service.stops(frame(7));
    expect(numbers(told)).toEqual([1, null, 2]);
  });
});

describe('a question', () => {
  test('is evaluated in the frame that was chosen, uncut', async () => {
    const { service, pauses } = followed();
    const outer = frame(8, 1, '<module>');
    service.stops(frame(7), outer);
    service.model.callstack.frame = outer;
    const answer = pauses.ask('k1', 2, INSPECT);
    expect(service.evaluations).toMatchObject([{ command: 'evaluate', frameId: 8, context: 'clipboard' }]);
    service.answers[0]?.resolve({ success: true, body: { result: `'${btoa('{"protocol":1}')}'` } });
    expect(await answer).toEqual({ protocol: 1 });
  });

  test.each([
    ["ModuleNotFoundError: No module named 'torchtwin'", /isn’t installed in this kernel/],
    ["ModuleNotFoundError: No module named 'torchtwin.kernel.paused'", /older than this page/],
    ['Traceback ...\nRecursionError: too deep', /^RecursionError: too deep$/],
    ['', /gave no answer/],
  ])('that fails by %j is told why', async (message, why) => {
    const { service, pauses } = followed();
    service.stops(frame(7));
    const answer = pauses.ask('k1', 1, INSPECT);
    service.answers[0]?.resolve({ success: false, message, body: { result: '' } });
    await expect(answer).rejects.toThrow(why);
  });

  test.each([
    [`ModuleNotFoundError("No module named 'torchtwin'")`, /isn’t installed in this kernel/],
    ["''", /gave no answer|''/],
  ])('that is answered by %j is told why', async (result, why) => {
    const { service, pauses } = followed();
    service.stops(frame(7));
    const answer = pauses.ask('k1', 1, INSPECT);
    service.answers[0]?.resolve({ success: true, body: { result } });
    await expect(answer).rejects.toThrow(why);
  });

  test('to a frame that is left, or of another kernel, is not asked at all', async () => {
    const { service, pauses } = followed();
    service.stops(frame(7));
    await expect(pauses.ask('k2', 1, INSPECT)).rejects.toMatchObject({ code: 'disconnected' });
    service.stops(frame(7, 5));
    await expect(pauses.ask('k1', 1, INSPECT)).rejects.toMatchObject({ code: 'disconnected' });
    service.goesOn();
    await expect(pauses.ask('k1', 2, INSPECT)).rejects.toMatchObject({ code: 'disconnected' });
    expect(service.evaluations).toEqual([]);
  });
});

test('without a debugger there is no pause, and disposing twice is harmless', async () => {
  const pauses = new Pauses(() => null);
  expect(pauses.current).toBeNull();
  await expect(pauses.ask('k1', 1, INSPECT)).rejects.toMatchObject({ code: 'disconnected' });
  pauses.dispose();
  pauses.dispose();
});

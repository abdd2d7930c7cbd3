import type { Verdict } from '../../protocol';
import { gaugeOf } from '../model/gauge';

const UNIT = 'A unit is u · (|x| · |w|ᵀ + |b|), u the unit roundoff of the dtype. The scale is logarithmic.';

/** The largest difference against what rounding can explain, on a logarithmic scale. */
export function GaugeBar({ verdict }: { verdict: Verdict }) {
  const gauge = gaugeOf(verdict);
  if (!gauge || verdict.kind === 'identical' || verdict.kind === 'unchecked') return null;
  const { mark, bound, sentence } = gauge;
  return (
    <>
      <svg
        className='jp-Torchtwin-gauge'
        viewBox='0 0 100 12'
        preserveAspectRatio='none'
        role='img'
        aria-label={sentence}
      >
        <title>{UNIT}</title>
        <rect className='jp-mod-inside' x='0' y='3' width={100 * bound} height='6' />
        <rect className='jp-mod-outside' x={100 * bound} y='3' width={100 * (1 - bound)} height='6' />
        <rect className='jp-mod-mark' x={Math.min(99.2, 100 * mark)} y='0' width='0.8' height='12' />
      </svg>
      <div className='jp-Torchtwin-quiet' aria-hidden='true'>
        {sentence}
      </div>
    </>
  );
}
